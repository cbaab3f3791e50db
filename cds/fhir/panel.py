"""Whose panel a patient is on: Patient.generalPractitioner, which R4, R4B, R5 and STU3 share."""

from __future__ import annotations

import msgspec

from cds.fhir.read import UNREADABLE
from cds.fhir.said import relative
from cds.fhir.shapes import Reference, Shape


class _OnPanel(Shape):
    general_practitioner: list[Reference] | None = None


_decoder = msgspec.json.Decoder(_OnPanel)


def panel(patient: bytes) -> tuple[str, str]:
    """The first one's relative reference and name; "" for what the record does not say."""
    try:
        found = _decoder.decode(patient).general_practitioner or ()
    except UNREADABLE:
        return "", ""
    first = next(iter(found), Reference())
    reference = relative(first.reference or "")
    return reference, first.display or reference
