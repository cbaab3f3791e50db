"""Without a clinician: our own access to the EHR (SMART Backend Services), and the patient read again before each write."""

from __future__ import annotations

from cds import audit
from cds.errors import CdsError, FhirError, FhirInvalid, FhirUnreachable, Gone
from cds.fhir.client import FhirServer
from cds.fhir.identity import identity
from cds.identity import PatientIdentity
from cds.models import Ehr, WriteBack
from cds.system import Access, access_to
from cds.writeback.allowed import WriteBackOff, require_same, seen_key
from cds.writeback.hand import Hand

_NEEDED = ("Patient.r",)
_WANTED = (
    *(f"{form}.{letters}" for form in WriteBack.Form.values for letters in ("c", "rs", "u", "d")),
    *("Device.c", "Device.rs", "Provenance.c", "Provenance.rs"),
)


class NeedsClinician(CdsError):
    """Only somebody who looks at the chart can go on."""


def can(ehr: Ehr) -> bool:
    return bool(ehr.system_client_id)


def own_access(ehr: Ehr) -> Access:
    return access_to(ehr, needed=_NEEDED, wanted=_WANTED)


def own_hand(row: WriteBack) -> Hand:
    """The client that an administrator has set up, and the patient if they are still who was confirmed."""
    ehr, about = row.assessment.ehr, row.assessment
    if not can(ehr):
        raise NeedsClinician(
            "Bedside was interrupted while it sent this"
            if row.aim == WriteBack.Aim.WRITE
            else "only a clinician's session may change this chart"
        )
    access = own_access(ehr)
    client = access.client()
    if row.aim != WriteBack.Aim.WRITE and row.target == WriteBack.Target.CHART:  # what stands there says whose it is
        return Hand(client=client, caller=audit.US, may=access.may)
    patient = _read(about.context.patient.id, ehr, client=client)
    hand = Hand(client=client, caller=audit.US, patient=patient, may=access.may)
    require_same(about, hand)
    if row.seen_key and row.seen_key != seen_key(about, patient):
        raise NeedsClinician(
            "the patient's name, birth date, sex or record number has changed since this was confirmed"
        )
    if patient.restricted and not row.requested_by:
        raise WriteBackOff("the chart is restricted: nothing is written into it unless a clinician confirms")
    return hand


def _read(patient_id: str, ehr: Ehr, *, client: FhirServer) -> PatientIdentity:
    """Merged: raises MergedPatient. What is no answer at all may be one later."""
    try:
        return identity(client.request_json(f"Patient/{patient_id}"), mrn_system=ehr.mrn_system)
    except FhirError as error:
        if error.http_status in {404, 410}:
            raise Gone("the patient's record was deleted at the EHR") from error
        if isinstance(error, FhirInvalid) and error.http_status is None:
            raise FhirUnreachable("the answer to a read of the Patient cannot be used") from error
        raise
