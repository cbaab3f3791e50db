"""The unsigned orders that a hook carries in its context: they are on no server yet and may lack what others must have."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cds.fhir import shapes
from cds.fhir.decoding import ABSENT, UNREADABLE
from cds.fhir.read import Reader, Reading
from cds.fhir.said import reference_to
from cds.fhir.versions import names_of, settle
from cds.needs import Need

DRAFTS = Need.resources("drafts", "MedicationRequest")
ORDERS = Need.resources("orders", "ServiceRequest")
# What does not say its type may be a prescription.
_ORDER_TYPES = names_of("ServiceRequest")
_NEEDS = {"": DRAFTS, "MedicationRequest": DRAFTS, "Medication": DRAFTS, **dict.fromkeys(_ORDER_TYPES, ORDERS)}
_ORDERED = {"MedicationRequest", *_ORDER_TYPES}
# Signing a draft with one of these statuses starts nothing ("revoked" is a ServiceRequest's).
_STARTS_NOTHING = {"entered-in-error", "stopped", "cancelled", "completed", "revoked"}


class _Typed(shapes.Shape):
    """The type alone, which can be read even of a resource whose id cannot."""

    resource_type: str = ""


_bundle = msgspec.json.Decoder(shapes.RawBundle)
_typed = msgspec.json.Decoder(_Typed)


def read_drafts(raw: bytes | msgspec.Raw, reader: Reader) -> Reading:
    """A Bundle of drafts, with the Medications that they refer to; `failed` if it is no Bundle.

    A draft may lack its id or its subject, but it must not be somebody else's. An issue says by its need whether a
    prescription (`DRAFTS`) or another order (`ORDERS`) could not be used.
    """
    reading = Reading()
    found = [
        (need, draft)
        for need, part in _by_need(raw, reading)
        for draft in reader.one_by_one(need, shapes.Statement, part, reading)
    ]
    medications = {reference_to(one): one.code for _, one in found if one.resource_type == "Medication"}
    for need, draft in found:
        if draft.resource_type in _ORDERED:
            _read(draft, medications, need, reading, reader)
        elif not draft.resource_type:
            reader.complain(reading, need, "has no resourceType", draft)
    return reading


def _by_need(raw: bytes | msgspec.Raw, reading: Reading) -> Iterator[tuple[Need, bytes]]:
    """One Bundle for each need; orders of other kinds are let pass unread."""
    try:
        bundle = _bundle.decode(raw)
    except UNREADABLE:
        bundle = shapes.RawBundle()
    reading.failed = bundle.resource_type != "Bundle"
    given = [] if reading.failed else [entry.resource for entry in bundle.entry or ()]
    kinds = [(_NEEDS.get(_type(resource)), resource) for resource in given if bytes(resource) not in ABSENT]
    for need in (DRAFTS, ORDERS):
        entries = [{"resource": resource} for kind, resource in kinds if kind is need]
        yield need, msgspec.json.encode({"resourceType": "Bundle", "entry": entries})


def _type(raw: msgspec.Raw) -> str:
    try:
        return _typed.decode(raw).resource_type
    except UNREADABLE:
        return ""


def _read(
    draft: shapes.Statement,
    medications: dict[str, shapes.Concept | None],
    need: Need,
    reading: Reading,
    reader: Reader,
) -> None:
    if draft.subject is not None and not reader.mine(draft.subject):
        reader.complain(reading, need, "belongs to another patient", draft)
        return
    settle(draft)
    if draft.status in _STARTS_NOTHING:
        reading.dropped += 1
        return
    named = draft.medication_reference.reference if draft.medication_reference else None
    draft.medication_codeable_concept = draft.medication_codeable_concept or medications.get(named or "")
    reader.stated(draft, need, reading)
