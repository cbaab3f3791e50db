"""Who this is: the patient, read again whenever it matters, and the clinician. Rendered, never stored, never logged."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from cds.connect import bearer_client
from cds.dates import years_between
from cds.errors import FhirError, FhirRefused
from cds.fhir.client import FhirServer
from cds.fhir.decoding import UNREADABLE
from cds.fhir.identity import identity
from cds.identity import PatientIdentity
from cds.merges import noticing
from smartapp import glass
from smartapp.models import SmartSession
from smartapp.renewal import renew_token
from smartapp.stops import Reason, Stopped

logger = logging.getLogger(__name__)


class _Name(msgspec.Struct):
    text: str = ""
    prefix: list[str] = []
    given: list[str] = []
    family: str = ""


class _Person(msgspec.Struct):
    name: list[_Name] = []


def read_patient(session: SmartSession) -> PatientIdentity:
    """The patient of this session's token, and of no other source; the token is renewed once if it has run out."""
    patient = noticing(session.ehr, session.grant.patient_id, lambda: _identity(session))
    if patient.replaces:
        glass.require_willing(session)  # a no may just have come along
    return patient


def _identity(session: SmartSession) -> PatientIdentity:
    wanted = session.grant.patient_id
    patient = identity(_read(f"Patient/{wanted}", session), mrn_system=session.ehr.mrn_system)
    if patient.id != wanted:
        raise Stopped(Reason.NO_PATIENT, ehr=session.ehr)
    return patient


def _read(url: str, session: SmartSession) -> Any:
    try:
        return bearer_client(session.ehr, session.grant.token).request_json(url)
    except FhirRefused as error:
        if error.http_status != 401:
            raise
    renew_token(session)
    return bearer_client(session.ehr, session.grant.token).request_json(url)


def age(patient: PatientIdentity, session: SmartSession) -> int | None:
    """Whole years, on the EHR's local date."""
    return None if patient.birth_date is None else years_between(patient.birth_date, session.ehr.now().date())


def name_of(fhir_user: str, *, client: FhirServer) -> str:
    """The clinician's name; "" if the EHR does not tell, which is no reason to stop."""
    if not fhir_user:
        return ""
    try:
        person = msgspec.convert(client.request_json(fhir_user), type=_Person)
    except (FhirError, *UNREADABLE) as error:
        logger.info("the clinician's name could not be read: %s", type(error).__name__)
        return ""
    return next((said for name in person.name if (said := _said(name))), "")


def _said(name: _Name) -> str:
    return name.text or " ".join(part for part in (*name.prefix, *name.given, name.family) if part)
