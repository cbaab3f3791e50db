"""Made-up requests, one for each hook of the library: a patient who does not exist, with an empty record."""

from __future__ import annotations

import uuid
from typing import Any

PATIENT, USER = "conformance-test", "Practitioner/conformance-test"
_PATIENT = {"resourceType": "Patient", "id": PATIENT, "gender": "female", "birthDate": "1965-01-01"}
_ORDER = {
    "resourceType": "MedicationRequest",
    "id": "conformance-draft",
    "status": "draft",
    "intent": "order",
    "medicationCodeableConcept": {
        "coding": [
            {
                "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                "code": "861007",
                "display": "metformin hydrochloride 500 MG Oral Tablet",
            }
        ]
    },
    "subject": {"reference": f"Patient/{PATIENT}"},
}
_APPOINTMENT = {
    "resourceType": "Appointment",
    "id": "conformance-draft",
    "status": "proposed",
    "participant": [{"actor": {"reference": f"Patient/{PATIENT}"}, "status": "needs-action"}],
}
_PERSONS = {"userId": USER, "patientId": PATIENT}
_STAY = {"encounterId": "conformance-test"}


def _bundle(resource: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": resource}]}


# The context of each hook: CDS Hooks Library, "Context".
CONTEXTS: dict[str, dict[str, Any]] = {
    "patient-view": _PERSONS,
    "encounter-start": _PERSONS | _STAY,
    "encounter-discharge": _PERSONS | _STAY,
    "order-select": _PERSONS | {"selections": ["MedicationRequest/conformance-draft"], "draftOrders": _bundle(_ORDER)},
    "order-sign": _PERSONS | {"draftOrders": _bundle(_ORDER)},
    "appointment-book": _PERSONS | {"appointments": _bundle(_APPOINTMENT)},
    "order-dispatch": {
        "patientId": PATIENT,
        "dispatchedOrders": ["ServiceRequest/conformance-test"],
        "performer": "Organization/conformance-test",
    },
}


def request(hook: str) -> dict[str, Any]:
    """The body of a call without prefetch and without access to any FHIR server."""
    return {"hook": hook, "hookInstance": str(uuid.uuid4()), "context": CONTEXTS[hook]}


def empty_record(templates: dict[str, str]) -> dict[str, Any]:
    """A prefetch in which every key was asked for: the patient is there, and nothing else."""
    return {key: _PATIENT if template.startswith("Patient/") else None for key, template in templates.items()}


def unreadable_record(templates: dict[str, str]) -> dict[str, Any]:
    """A prefetch of which every key failed."""
    issue = {"severity": "error", "code": "exception"}
    return {key: {"resourceType": "OperationOutcome", "issue": [issue]} for key in templates}
