"""The unsigned orders that a hook carries in its context: they are on no server yet and may lack what others must have."""

from __future__ import annotations

import msgspec

from cds.fhir import shapes
from cds.fhir.read import Reader, Reading, kind_of, reference_to
from cds.needs import Need

DRAFTS = Need.resources("drafts", "MedicationRequest")
_ORDERS = {"MedicationRequest", "ServiceRequest"}


def read_drafts(raw: bytes | msgspec.Raw, reader: Reader) -> Reading:
    """A Bundle of drafts, with the Medications that they refer to; `failed` if it is no Bundle.

    A draft may lack its id or its subject, but it must not be somebody else's.
    """
    reading = Reading(failed=kind_of(raw).resource_type != "Bundle")
    found = [] if reading.failed else list(reader.one_by_one(DRAFTS, shapes.Statement, raw, reading))
    medications = {reference_to(one): one.code for one in found if one.resource_type == "Medication"}
    for draft in found:
        if draft.resource_type in _ORDERS:
            _read(draft, medications, reading, reader)
    return reading


def _read(
    draft: shapes.Statement, medications: dict[str, shapes.Concept | None], reading: Reading, reader: Reader
) -> None:
    if draft.subject is not None and not reader.mine(draft.subject):
        reader.complain(reading, DRAFTS, "belongs to another patient", draft)
        return
    if draft.status == "entered-in-error":
        reading.dropped += 1
        return
    named = draft.medication_reference.reference if draft.medication_reference else None
    draft.medication_codeable_concept = draft.medication_codeable_concept or medications.get(named or "")
    reader.stated(draft, DRAFTS, reading)
