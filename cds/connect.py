"""The only place where clients are made: whose token, to which base or archive, within which limits."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import requests
from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings
from requests.auth import HTTPBasicAuth

from cds.dicom import tls
from cds.dicom.archive import Archive, DicomWeb, Dimse, Folder
from cds.fhir.client import FhirServer
from cds.http import bounded
from cds.models import Ehr, Pacs
from cds.needs import Need


def session_for(ehr: Ehr, *, token: str | None = None, origins: tuple[str, ...] = ()) -> requests.Session:
    """A session that may reach this EHR and nothing else, signed with `token` if there is one."""
    session = OAuth2Session(token={"access_token": token, "token_type": "Bearer"}) if token else requests.Session()
    return bounded(session, origins=(ehr.fhir_base, *origins), private_network=ehr.private_network)


def bearer_client(ehr: Ehr, token: str, *, opens: Callable[[Need], bool] = lambda _: True) -> FhirServer:
    """For a hook's transient token and for a clinician's session; the token lives as long as the object."""
    return client_for(ehr, session_for(ehr, token=token), opens=opens)


def client_for(ehr: Ehr, session: requests.Session, *, opens: Callable[[Need], bool]) -> FhirServer:
    """`session` signs; it came from `session_for`, so that it reaches nothing else."""
    return FhirServer(ehr.fhir_base, session=session, opens=opens)


def archive_of(ehr: Ehr) -> Archive:
    """Where this EHR's reports go, with its credentials and within its limits; BadInput if what is entered is of no use."""
    row = Pacs.objects.filter(ehr=ehr).first() or Pacs(ehr=ehr)
    match Pacs.Kind(row.kind):
        case Pacs.Kind.FOLDER:
            return Folder(path=Path(settings.DICOM_FOLDER))
        case Pacs.Kind.DICOMWEB:
            session = _archive_session(row)
            return DicomWeb(url=row.url.rstrip("/"), session=session, private_network=row.private_network)
        case Pacs.Kind.DIMSE:
            return Dimse(
                host=row.host,
                port=row.port or 104,
                called=row.called_ae,
                calling=row.calling_ae,
                tls=_archive_tls(row) if row.tls else None,
                private_network=row.private_network,
            )


def _archive_session(row: Pacs) -> requests.Session:
    session, secret = requests.Session(), bytes(row.secret or b"").decode()
    if row.user:
        session.auth = HTTPBasicAuth(row.user.encode(), secret.encode())
    elif secret:
        session.headers["Authorization"] = f"Bearer {secret}"
    return bounded(session, origins=(row.url,), private_network=row.private_network)


def _archive_tls(row: Pacs) -> ssl.SSLContext:
    return tls.context(
        trusted=row.trusted_certificates, certificate=row.certificate, key=bytes(row.certificate_key or b"")
    )
