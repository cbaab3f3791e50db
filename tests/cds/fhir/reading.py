"""What a server may send about Patient/123, and what is asked for."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from cds import analytes
from cds.codes import LOINC, UCUM
from cds.facts import Observed
from cds.fhir.read import Reader, Reading
from cds.needs import Need

AUCKLAND = ZoneInfo("Pacific/Auckland")
LABS = Need.observations("labs", analytes.HBA1C, analytes.GLUCOSE, analytes.TOTAL_CHOLESTEROL, category="laboratory")
VITALS = Need.observations(
    "vitals",
    *(analytes.SYSTOLIC, analytes.DIASTOLIC, analytes.HEIGHT, analytes.WEIGHT, analytes.WAIST, analytes.BMI),
    category="vital-signs",
)
KIDNEYS = Need.observations("kidneys", analytes.EGFR, analytes.CREATININE, category="laboratory")
CONDITIONS = Need.resources("conditions", "Condition", required=True)
MEDICATIONS = Need.resources("medications", "MedicationRequest")
IMAGING = Need.resources("imaging", "ImagingStudy")
ENCOUNTERS = Need.resources("encounters", "Encounter")


def read(need: Need, *resources: Any, **more: Any) -> Reading:
    """Of a searchset Bundle of these resources."""
    bundle = {"resourceType": "Bundle", "entry": [{"resource": resource} for resource in resources], **more}
    return reader().read(need, msgspec.json.encode(bundle))


def reader(**more: Any) -> Reader:
    return Reader(patient_id="123", zone=AUCKLAND, **more)


def concept(code: str, system: str = LOINC, **more: Any) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}], **more}


def quantity(value: Any, unit: str | None) -> dict[str, Any]:
    return {"value": value, **({"unit": unit, "system": UCUM, "code": unit} if unit else {})}


def observation(code: str = "4548-4", value: Any = 6.1, unit: str | None = "%", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": concept(code),
        "subject": {"reference": "Patient/123"},
        "effectiveDateTime": "2025-03-01T09:00:00Z",
        "valueQuantity": quantity(value, unit),
        **more,
    }


def statement(kind: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": "s1", "subject": {"reference": "Patient/123"}, **more}


def only(reading: Reading) -> Observed:
    assert reading.issues == []
    (fact,) = reading.observed
    return fact


def reason(reading: Reading) -> str:
    assert reading.observed == []
    (issue,) = reading.issues
    return issue.reason
