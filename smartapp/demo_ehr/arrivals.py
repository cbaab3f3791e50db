"""A laboratory result arrives, and what becomes of it: was the app told, and has it looked at the chart since?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from smartapp.demo_ehr import interactions, looks
from smartapp.demo_ehr.courier import courier
from smartapp.demo_ehr.grants import Grant
from smartapp.demo_ehr.outcomes import FhirError, Resource
from smartapp.demo_ehr.record import Line, line_of
from smartapp.demo_ehr.scopes import scopes_in

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
NUMBER = re.compile(r"\d{1,4}([.,]\d{1,2})?")
LONGEST = timedelta(minutes=7)  # that the page waits for the app


@dataclass(frozen=True, kw_only=True)
class Test:
    """What a laboratory measures; its LOINC code goes with the unit."""

    __test__ = False  # not one of pytest's

    name: str
    unit: str
    code: str


TESTS = {
    "hba1c-percent": Test(name="HbA1c", unit="%", code="4548-4"),
    "hba1c-ifcc": Test(name="HbA1c", unit="mmol/mol", code="59261-8"),
    "glucose-mass": Test(name="Glucose", unit="mg/dL", code="2345-7"),
    "glucose-moles": Test(name="Glucose", unit="mmol/L", code="14749-6"),
}


@dataclass(frozen=True, kw_only=True)
class News:
    """`told`: None where no app has asked for it. `looked`: when the app looked at the chart since then by itself."""

    id: str
    line: Line
    at: datetime
    told: bool | None
    looked: datetime | None

    @property
    def awaited(self) -> bool:
        return self.told is not None and self.looked is None and datetime.now(UTC) - self.at < LONGEST


def arrive(patient_id: str, test: str, value: str) -> News:
    """Final, of now, into this chart. FhirError for what is no number, or no test of this laboratory."""
    if test not in TESTS or not NUMBER.fullmatch(value):
        raise FhirError(422, "value", "choose a test, and give its value as a number such as 6.9")
    laboratory = Grant(author="hospital", scopes=scopes_in("user/*.cruds"), patient=patient_id)
    made = interactions.create(laboratory, result(patient_id, TESTS[test], float(value.replace(",", "."))))
    return news_of(made.body or {})


def result(patient_id: str, test: Test, value: float) -> Resource:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": test.code}], "text": test.name},
        "subject": {"reference": f"Patient/{patient_id}"},
        "effectiveDateTime": now,
        "issued": now,
        "valueQuantity": {"value": value, "unit": test.unit, "system": "http://unitsofmeasure.org", "code": test.unit},
    }


def news_of(observation: Resource) -> News:
    at = datetime.fromisoformat(observation["meta"]["lastUpdated"])
    looked = looks.last(observation["subject"]["reference"].removeprefix("Patient/"))
    return News(
        id=observation["id"],
        line=line_of(observation),
        at=at,
        told=courier().told_of(observation),
        looked=looked if looked and looked > at else None,
    )
