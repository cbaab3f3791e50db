"""Prescribing: a draft asks for decision support when it is selected and when it is signed, and then enters the chart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from smartapp.demo_ehr import hooks, interactions
from smartapp.demo_ehr.context import CLINICIAN
from smartapp.demo_ehr.decisions import Asked, ask, clinician_in
from smartapp.demo_ehr.outcomes import Resource

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
METFORMIN = {"code": "861007", "display": "metformin hydrochloride 500 MG Oral Tablet"}


@dataclass(frozen=True, kw_only=True)
class Signing:
    """What came of signing: signed, or cards to look at first."""

    asked: Asked
    signed: bool


def draft_of(patient_id: str) -> Resource:
    """A prescription of metformin as it stands before it is signed; one for each chart."""
    return {
        "resourceType": "MedicationRequest",
        "id": f"{patient_id}-draft",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, **METFORMIN}], "text": METFORMIN["display"]},
        "subject": {"reference": f"Patient/{patient_id}"},
        "authoredOn": datetime.now(UTC).date().isoformat(),
        "requester": {"reference": f"Practitioner/{CLINICIAN}"},
        "dosageInstruction": [{"text": "1 tablet twice a day with meals"}],
    }


def select(patient_id: str) -> Asked:
    return ask(patient_id, hooks.ORDER_SELECT, [draft_of(patient_id)])


def sign(patient_id: str, *, anyway: bool) -> Signing:
    """Into the chart, unless a service has something to say and the clinician has not read it yet."""
    if anyway:
        put_into_chart(patient_id)
        return Signing(asked=Asked(), signed=True)
    asked = ask(patient_id, hooks.ORDER_SIGN, [draft_of(patient_id)])
    clear = not asked.cards and not asked.problems
    if clear:
        put_into_chart(patient_id)
    return Signing(asked=asked, signed=clear)


def put_into_chart(patient_id: str) -> None:
    """The chart gives it an id of its own."""
    interactions.create(clinician_in(patient_id), {**draft_of(patient_id), "status": "active"})
