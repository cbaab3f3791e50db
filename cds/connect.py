"""The only place where clients are made: whose token, to which base or archive, within which limits."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path

import msgspec
import requests
from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings
from django.core.cache import caches
from requests.auth import HTTPBasicAuth

from cds.dicom import tls
from cds.dicom.archive import Archive, DicomWeb, Dimse, Folder
from cds.errors import FhirError
from cds.fhir.capability import Capability
from cds.fhir.client import FhirServer
from cds.fhir.decoding import UNREADABLE
from cds.fhir.searches import Announced, Searches
from cds.fhir.versions import FHIR_JSON, R4, Dialect, dialect_in
from cds.http import bounded, streamed
from cds.models import Ehr, Pacs
from cds.needs import Need
from cds.presets import BY_KEY

logger = logging.getLogger(__name__)

_LOOK_AGAIN_SECONDS = 60
_TEST_FOLDER = "test"  # below DICOM_FOLDER


def session_for(
    ehr: Ehr, *, token: str | None = None, origins: tuple[str, ...] = (), seconds: float = inf
) -> requests.Session:
    """A session that may reach this EHR and nothing else, signed with `token` if there is one.

    `seconds`: for all that is asked through it, where somebody waits.
    """
    session = OAuth2Session(token={"access_token": token, "token_type": "Bearer"}) if token else requests.Session()
    origins = (ehr.fhir_base, *origins)
    return bounded(session, origins=origins, private_network=ehr.private_network, seconds=seconds)


def files_session_for(ehr: Ehr) -> requests.Session:
    """For the files of its exports, which may be large and lie elsewhere; nothing signs unless the caller says so."""
    origins = (ehr.fhir_base, *ehr.file_origins.split())
    return streamed(requests.Session(), origins=origins, private_network=ehr.private_network)


def bearer_client(
    ehr: Ehr, token: str, *, opens: Callable[[Need], bool] = lambda _: True, seconds: float = inf
) -> FhirServer:
    """For a hook's transient token and for a clinician's session; the token lives as long as the object."""
    return client_for(ehr, session_for(ehr, token=token, seconds=seconds), opens=opens)


def client_for(ehr: Ehr, session: requests.Session, *, opens: Callable[[Need], bool]) -> FhirServer:
    """`session` signs; it came from `session_for`, so that it reaches nothing else."""
    return FhirServer(
        ehr.fhir_base,
        session=session,
        opens=opens,
        dialect=partial(dialect_of, ehr),
        searches=partial(searches_of, ehr),
    )


def searches_of(ehr: Ehr) -> Searches:
    """By what the row keeps of the server's words, which no caller waits for; a week later they count no more."""
    announced = msgspec.json.decode(ehr.announced, type=Announced) if ehr.knows_announced else Announced()
    return Searches(announced=announced, vendor=BY_KEY[ehr.vendor])


def dialect_of(ehr: Ehr) -> Dialect:
    """As the EHR's row has it; the first time as its CapabilityStatement says, which the row then keeps.

    Where that cannot be read, R4 is tried, and a minute later it is looked for again.
    """
    place = f"no-dialect:{ehr.fhir_base}"
    if ehr.dialect or caches["process"].get(place):
        return ehr.dialect or R4
    found = _said_by(ehr)
    if found is None:
        caches["process"].set(place, True, _LOOK_AGAIN_SECONDS)
        logger.warning("EHR %s does not say in which FHIR version it speaks: R4 is tried", ehr.pk)
        return R4
    ehr.keep_dialect(found)
    return found


def _said_by(ehr: Ehr) -> Dialect | None:
    try:
        with session_for(ehr) as session:
            url = f"{ehr.fhir_base.rstrip('/')}/metadata"
            answer = session.get(url, headers={"Accept": FHIR_JSON}, allow_redirects=False)
        if answer.status_code != 200 or (found := dialect_in(answer.content)) is None:
            return None
        ehr.keep_announced(Announced.by(msgspec.json.decode(answer.content, type=Capability)))
        return found
    except (FhirError, *UNREADABLE):
        return None


def archive_of(ehr: Ehr, *, seconds: float = inf) -> Archive:
    """Where this EHR's reports go, with its credentials and within its limits; BadInput if what is entered is of no use.

    `seconds`: for all that is asked through it over HTTP, where somebody waits.
    """
    row = Pacs.objects.filter(ehr=ehr).first() or Pacs(ehr=ehr)
    match Pacs.Kind(row.kind):
        case Pacs.Kind.FOLDER:
            # What is invented lies apart: whoever fetches patients' reports must not fetch these.
            return Folder(path=Path(settings.DICOM_FOLDER) / (_TEST_FOLDER if ehr.is_test else ""))
        case Pacs.Kind.DICOMWEB:
            session = _archive_session(row, seconds)
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


def _archive_session(row: Pacs, seconds: float) -> requests.Session:
    session, secret = requests.Session(), bytes(row.secret or b"").decode()
    if row.user:
        session.auth = HTTPBasicAuth(row.user.encode(), secret.encode())
    elif secret:
        session.headers["Authorization"] = f"Bearer {secret}"
    return bounded(session, origins=(row.url,), private_network=row.private_network, seconds=seconds)


def _archive_tls(row: Pacs) -> ssl.SSLContext:
    return tls.context(
        trusted=row.trusted_certificates, certificate=row.certificate, key=bytes(row.certificate_key or b"")
    )
