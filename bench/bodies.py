"""The two requests that are sent: patient-view with about 8 KB and about 317 KB of prefetch, made in our own words.

One made-up woman of 58 without an HbA1c and with a raised glucose, so that every answer is one card. All Observations are
of codes that the service's templates ask for: nothing can be skipped for being uninteresting.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
PATIENT = "bench-1"
SMALL, LARGE = "8 KB", "317 KB"
OBSERVATIONS = {SMALL: 9, LARGE: 200}
_VARIED = 111.25  # the newest glucose: the one value that differs for each fresh patient
_REMARK = (
    "Measured in routine care; released by the laboratory after the usual checks of sample and instrument on the day."
)
_PER_YEAR = 9  # measurements of one kind a year

# key: (prefetch key, LOINC, name, unit, value)
MEASURED = {
    "glucose": ("glucose", "2345-7", "Glucose [Mass/volume] in Serum or Plasma", "mg/dL", 111.0),
    "total_cholesterol": ("lipids", "2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "mg/dL", 221.0),
    "hdl": ("lipids", "2085-9", "Cholesterol in HDL [Mass/volume] in Serum or Plasma", "mg/dL", 38.0),
    "triglycerides": ("lipids", "2571-8", "Triglyceride [Mass/volume] in Serum or Plasma", "mg/dL", 228.0),
    "bmi": ("vitals", "39156-5", "Body mass index (BMI) [Ratio]", "kg/m2", 34.6),
    "waist": ("vitals", "8280-0", "Waist Circumference at umbilicus by Tape measure", "cm", 112.0),
    "weight": ("vitals", "29463-7", "Body weight", "kg", 94.0),
    "height": ("vitals", "8302-2", "Body height", "cm", 164.8),
    "pressure": ("vitals", "85354-9", "Blood pressure panel with all children optional", "mm[Hg]", 148.0),
}


@dataclass(frozen=True, kw_only=True)
class Body:
    """A request's body, cut around the value that may vary."""

    size: str
    before: bytes
    after: bytes

    def text(self, patient: int | None = None) -> bytes:
        """The same one each time, or that of the `patient`-th fresh patient (six decimals: a million)."""
        value = f"111.{patient or 0:06d}"
        return self.before + value.encode() + self.after


def body(size: str) -> Body:
    """A patient-view request; the newest glucose is the value that varies."""
    request = {
        "hook": "patient-view",
        "hookInstance": str(uuid.UUID(int=2)),
        "context": {"userId": "Practitioner/bench", "patientId": PATIENT},
        "prefetch": prefetch(size),
    }
    before, after = json.dumps(request, separators=(",", ":")).split(f'{_VARIED},"unit":"mg/dL"')
    after = f',"unit":"mg/dL"{after}'
    return Body(size=size, before=before.encode(), after=after.encode())


def prefetch(size: str) -> dict[str, Any]:
    """What the EHR resolved: every key of the service's templates."""
    grouped: dict[str, list[dict[str, Any]]] = {"glucose": [], "lipids": [], "vitals": []}
    names = list(MEASURED)
    for number in range(OBSERVATIONS[size]):
        name = names[number % len(names)]
        grouped[MEASURED[name][0]].append(_observation(name, number, wordy=size == LARGE))
    empty = ("hba1c", "pregnancy", "medications", "orders", "procedures")
    return {
        "patient": _patient(),
        "conditions": _bundle([_condition()]),
        "encounters": _bundle([_encounter()]),
        **{key: _bundle(found) for key, found in grouped.items()},
        **{key: _bundle([]) for key in empty},
    }


def _day(age_days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=age_days)).replace(microsecond=0).isoformat()


def _bundle(resources: list[dict[str, Any]]) -> dict[str, Any]:
    entries = [
        {"fullUrl": f"https://ehr.example.org/fhir/{one['resourceType']}/{one['id']}", "resource": one}
        for one in resources
    ]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def _patient() -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": PATIENT,
        "active": True,
        "gender": "female",
        "birthDate": _day(58.5 * 365.25)[:10],
    }


def _condition() -> dict[str, Any]:
    status = "http://terminology.hl7.org/CodeSystem/condition-"
    return {
        "resourceType": "Condition",
        "id": "c1",
        "clinicalStatus": {"coding": [{"system": f"{status}clinical", "code": "active"}]},
        "verificationStatus": {"coding": [{"system": f"{status}ver-status", "code": "confirmed"}]},
        "code": {
            "coding": [{"system": "http://snomed.info/sct", "code": "59621000", "display": "Essential hypertension"}]
        },
        "subject": {"reference": f"Patient/{PATIENT}"},
        "onsetDateTime": _day(2000),
    }


def _encounter() -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "period": {"start": _day(40), "end": _day(39.98)},
    }


def _observation(name: str, number: int, *, wordy: bool) -> dict[str, Any]:
    """Newest first, as `_sort=-date` asks; `wordy`: with the narrative and extensions that large charts carry."""
    key, code, display, unit, value = MEASURED[name]
    older = number // len(MEASURED)
    when = _day(10 + older * 365 / _PER_YEAR)
    category = "vital-signs" if key == "vitals" else "laboratory"
    found: dict[str, Any] = {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": category}]}
        ],
        "code": {"coding": [{"system": LOINC, "code": code, "display": display}], "text": display},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "encounter": {"reference": "Encounter/e1"},
        "effectiveDateTime": when,
        "issued": when,
    }
    if name == "pressure":
        found["component"] = [
            _part("8480-6", "Systolic blood pressure", value + older),
            _part("8462-4", "Diastolic blood pressure", 91.0),
        ]
    else:
        found["valueQuantity"] = _quantity(value + older / 10 if number else _VARIED, unit)
    return found | (_words(number, display) if wordy else {})


def _part(code: str, display: str, value: float) -> dict[str, Any]:
    concept = {"coding": [{"system": LOINC, "code": code, "display": display}]}
    return {"code": concept, "valueQuantity": _quantity(value, "mm[Hg]")}


def _quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def _words(number: int, display: str) -> dict[str, Any]:
    """What a reader of values skips."""
    place = "https://ehr.example.org/fhir"
    return {
        "meta": {
            "versionId": "3",
            "lastUpdated": _day(5),
            "source": f"{place}#lab{number}",
            "profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab"],
        },
        "text": {
            "status": "generated",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p><b>{display}</b></p><p>{_REMARK}</p></div>',
        },
        "identifier": [{"system": f"{place}/result", "value": f"R-{number:08d}"}],
        "performer": [{"reference": "Organization/lab", "display": "Central laboratory"}],
        "interpretation": [{"text": "See the laboratory's reference range"}],
        "referenceRange": [{"text": "As printed by the laboratory for adults of this sex"}],
        "note": [{"text": "Sample received in good condition, labelled at the bedside, no haemolysis."}],
    }
