"""The only place where clients are made: whose token, to which base or archive, within which limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import requests
from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings

from cds.dicom.deliver import Archive, Folder
from cds.fhir.client import FhirServer
from cds.http import bounded
from cds.models import Ehr
from cds.needs import Need


def session_for(ehr: Ehr, *, token: str | None = None, origins: tuple[str, ...] = ()) -> requests.Session:
    """A session that may reach this EHR and nothing else, signed with `token` if there is one."""
    session = OAuth2Session(token={"access_token": token, "token_type": "Bearer"}) if token else requests.Session()
    return bounded(session, origins=(ehr.fhir_base, *origins), private_network=ehr.private_network)


def bearer_client(ehr: Ehr, token: str, *, opens: Callable[[Need], bool] = lambda _: True) -> FhirServer:
    """For a hook's transient token and for a clinician's session; the token lives as long as the object."""
    return FhirServer(ehr.fhir_base, session=session_for(ehr, token=token), opens=opens)


def archive_of(ehr: Ehr) -> Archive:
    """Where this EHR's reports go."""
    return Folder(path=Path(settings.DICOM_FOLDER))
