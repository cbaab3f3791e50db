"""What a service asks of the record; declared once, it yields the prefetch template, the search and the bulk type."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import parse_qs, quote

from msgspec import Struct

from cds.analytes import Analyte
from cds.codes import BLOOD_PRESSURE_PANELS, Code

ENCOUNTER_TOKEN = "{{context.encounterId}}"  # noqa: S105 -- as below
PATIENT_TOKEN = "{{context.patientId}}"  # noqa: S105 -- a CDS Hooks prefetch token, not a secret


class Need(Struct, frozen=True, kw_only=True):
    """One read or search. `required`: without it there is no honest answer, so the hook answers 412."""

    key: str
    resource: str
    query: str = ""
    analytes: tuple[Analyte, ...] = ()
    codes: frozenset[Code] = frozenset()
    required: bool = False

    @classmethod
    def patient(cls) -> Need:
        return cls(key="patient", resource="Patient", required=True)

    @classmethod
    def observations(cls, key: str, *analytes: Analyte, category: str, required: bool = False) -> Need:
        """All dates: a template cannot say "since", and discovery is cached; the service looks back by itself."""
        codes = {code for analyte in analytes for code in analyte.codes}
        if any(analyte.key == "systolic" for analyte in analytes):
            codes |= BLOOD_PRESSURE_PANELS
        query = f"category={category}&code={_token_list(codes)}&_sort=-date&_count=200"
        return cls(key=key, resource="Observation", query=query, analytes=analytes, required=required)

    @classmethod
    def statement(cls, key: str, code: Code, *, category: str) -> Need:
        """An Observation whose value is a code, read as a diagnosis of that value (pregnancy status, for one)."""
        return cls(
            key=key,
            resource="Observation",
            query=f"category={category}&code={_token_list({code})}&_sort=-date&_count=10",
            codes=frozenset({code}),
        )

    @classmethod
    def resources(cls, key: str, resource: str, query: str = "_count=200", *, required: bool = False) -> Need:
        return cls(key=key, resource=resource, query=query, required=required)

    @classmethod
    def encounter(cls, encounter_id: str) -> Need:
        """The one that the EHR named, for where it happens; a search, so that it is this patient's."""
        return cls(key="encounter", resource="Encounter", query=f"_id={encounter_id}")

    @property
    def all_codes(self) -> frozenset[Code]:
        """What it searches by; empty where it asks for a whole type."""
        return self.codes.union(*(analyte.codes for analyte in self.analytes))

    @property
    def category(self) -> str:
        """The one category that it searches, or ""."""
        return parse_qs(self.query).get("category", [""])[0]

    @property
    def newest_first(self) -> bool:
        return "_sort=-date" in self.query.split("&")

    @property
    def template(self) -> str:
        """CDS Hooks 2.0.1, "Prefetch Template": only plain `{{context.x}}` tokens and the recommended parameters."""
        return self.search(PATIENT_TOKEN)

    def search(self, patient_id: str) -> str:
        """The read or search, relative to the FHIR base."""
        if self.resource == "Patient":
            return f"Patient/{patient_id}"
        return f"{self.resource}?patient={patient_id}&{self.query}"


class ArchiveNeed(Struct, frozen=True, kw_only=True):
    """What a service asks of the DICOM archive about one patient: studies, or measurements in structured reports.

    `key` names it among what could not be read; of a Need with the same key it is the other source. Never required.
    """

    key: str
    within: timedelta
    studies: bool = False
    analytes: tuple[Analyte, ...] = ()

    @property
    def in_chart(self) -> Need:
        """As FHIR has it: whose token does not open that, does not get it from the archive either."""
        if self.studies:
            return Need.resources(self.key, "ImagingStudy")
        return Need.observations(self.key, *self.analytes, category="imaging")


def by_code(needs: Sequence[Need]) -> dict[tuple[str | None, str | None], set[int]]:
    """Which of them, by place, search for a code; {} where one of them searches for none, and so for all."""
    found: dict[tuple[str | None, str | None], set[int]] = {}
    for place, need in enumerate(needs):
        codes = need.all_codes
        if not codes:
            return {}
        for code in codes:
            found.setdefault(code, set()).add(place)
    return found


def _token_list(codes: frozenset[Code] | set[Code]) -> str:
    """FHIR search, token parameter: system|code, joined by comma (OR)."""
    return ",".join(quote(f"{code.system}|{code.code}", safe=":/|") for code in sorted(codes))
