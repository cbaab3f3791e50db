"""Whose panel a patient is on: Patient.generalPractitioner, and Lists of patients. R4, R4B, R5 and STU3 share both."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cds.fhir.decoding import UNREADABLE
from cds.fhir.said import relative
from cds.fhir.shapes import Reference, Shape

Panel = tuple[str, str]  # a relative reference, and a name


class _OnPanel(Shape):
    general_practitioner: list[Reference] | None = None


class _Entry(Shape):
    item: Reference | None = None
    deleted: bool | None = None


class PatientList(Shape):
    """A List. `source`: whose it is."""

    id: str | None = None
    status: str | None = None
    mode: str | None = None
    title: str | None = None
    source: Reference | None = None
    entry: list[_Entry] | None = None

    @property
    def panel(self) -> Panel:
        """By the List, for two people may have a list of the same title."""
        reference, whose = f"List/{self.id}", (self.source or Reference()).display or ""
        title = self.title or whose or reference
        return reference, _line(f"{title} ({whose})" if whose not in title else title)

    @property
    def patients(self) -> Iterator[str]:
        """Who stands on it now: not on one that is retired or entered in error, or that only tells changes."""
        if not self.id or self.status != "current" or self.mode == "changes":
            return
        for entry in self.entry or ():
            kind, _, patient = relative((entry.item or Reference()).reference or "").partition("/")
            if kind == "Patient" and not entry.deleted:
                yield patient


_on_panel = msgspec.json.Decoder(_OnPanel)
read_list = msgspec.json.Decoder(PatientList).decode  # raises one of UNREADABLE


def panels(patient: bytes) -> list[Panel]:
    """Of all whom the record names."""
    try:
        found = _on_panel.decode(patient).general_practitioner or ()
    except UNREADABLE:
        return []
    named = [(_line(relative(one.reference or "")), _line(one.display or "")) for one in found]
    return [(reference or name, name or reference) for reference, name in named if reference or name]


def _line(said: str) -> str:
    return " ".join(said.split())[:200]
