"""Who the patient is to people and archives. Needed to show a banner and to file a report; never stored, never logged."""

from __future__ import annotations

from datetime import date

import msgspec
from msgspec import Struct


class PatientIdentity(Struct, frozen=True, kw_only=True):
    """`mrn` is the record number and not Patient.id; empty where the record does not name exactly one.

    `birth_date` only if it is a full date; `sex` is FHIR's administrative gender; `issuer` the record number's system.
    `restricted`: the chart may be opened for a reason only. `replaces`: ids of records that were merged into this one.
    """

    id: str
    family: str = ""
    given: str = ""
    middle: str = ""
    birth_date: date | None = None
    sex: str = "unknown"
    mrn: str = ""
    issuer: str = ""
    restricted: bool = False
    replaces: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As a person says it."""
        return " ".join(part for part in (self.given, self.middle, self.family) if part)

    def as_seen(self) -> str:
        """Everything that a banner shows, to notice a change between looking and saving."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name != "replaces"}
        return msgspec.json.encode(shown).decode()
