"""Present: an assessment becomes cards. A failure is never silence, and neither is a wait."""

from __future__ import annotations

from typing import Any

from cds import registry
from cds.cards import Card
from cds.models import Assessment, IssuedCard

_USUAL_SECONDS = 2


def present(assessment: Assessment) -> list[Card]:
    """[] means: looked, nothing to say."""
    service = registry.get(assessment.service_id)
    outcome = assessment.outcome
    if outcome is not None:
        return service.cards(outcome, assessment.context)
    if assessment.status in {Assessment.Status.FAILED, Assessment.Status.EXPIRED}:
        return [failed(service.subject)]
    return [pending(service.subject)]


def failed(subject: str) -> Card:
    return Card(
        summary=f"Could not check for {subject} just now; this says nothing about the patient.",
        indicator="info",
        detail="The failure has been recorded. Opening the chart again tries once more.",
    )


def pending(subject: str) -> Card:
    return Card(
        summary=f"Still checking for {subject}; this usually takes under {_USUAL_SECONDS} seconds.",
        indicator="info",
        detail="Open Bedside to see the answer as soon as it is there.",
    )


def issue(assessment: Assessment, cards: list[Card]) -> None:
    """Remember which cards left the house, so that feedback finds the assessment."""
    kind: Any = assessment.outcome.rule if assessment.outcome else assessment.status
    IssuedCard.objects.bulk_create(
        IssuedCard(uuid=card.uuid, assessment=assessment, summary_kind=kind) for card in cards
    )
