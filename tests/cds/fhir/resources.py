"""Small FHIR resources of one patient, "p", for tests of what is read and when; a member that is None is left out."""

from __future__ import annotations

from itertools import count
from typing import Any

from cds.codes import ACT_CODE, LOINC, SNOMED

Resource = dict[str, Any]
_numbers = count(1)


def patient(person: str = "p", **more: Any) -> Resource:
    return _without_none(
        {"resourceType": "Patient", "id": person, "gender": "female", "birthDate": "1970-01-01", **more}
    )


def measured(code: str, value: float, unit: str, *, category: str = "laboratory", **more: Any) -> Resource:
    return _of(
        "Observation",
        status="final",
        category=[{"coding": [{"code": category}]}],
        code={"coding": [{"system": LOINC, "code": code}]},
        valueQuantity={"value": value, "unit": unit},
        **more,
    )


def glucose(value: float, **more: Any) -> Resource:
    return measured("2345-7", value, "mg/dL", **more)


def hba1c(value: float, **more: Any) -> Resource:
    return measured("4548-4", value, "%", **more)


def bmi(value: float, **more: Any) -> Resource:
    return measured("39156-5", value, "kg/m2", category="vital-signs", **more)


def condition(code: str, *, status: str = "active", **more: Any) -> Resource:
    return _of(
        "Condition",
        clinicalStatus={"coding": [{"code": status}]},
        verificationStatus={"coding": [{"code": "confirmed"}]},
        code={"coding": [{"system": SNOMED, "code": code}]},
        **more,
    )


def prescription(name: str, **more: Any) -> Resource:
    return _of("MedicationRequest", status="active", medicationCodeableConcept={"text": name}, **more)


def encounter(*, start: str, end: str | None = None, kind: str = "AMB", **more: Any) -> Resource:
    members = {"class": {"system": ACT_CODE, "code": kind}, "period": _without_none({"start": start, "end": end})}
    return _of("Encounter", status="finished", **{**members, **more})


def _of(kind: str, *, person: str = "p", **members: Any) -> Resource:
    subject = {"reference": f"Patient/{person}"}
    return _without_none(
        {"resourceType": kind, "id": f"{kind.lower()}-{next(_numbers)}", "subject": subject, **members}
    )


def _without_none(members: Resource) -> Resource:
    return {name: value for name, value in members.items() if value is not None}
