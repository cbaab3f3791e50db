"""Present: an assessment becomes cards. A failure is never silence, and neither is a wait."""

from __future__ import annotations

from cds import registry
from cds.cards import Card
from cds.context import PatientContext
from cds.models import Assessment, IssuedCard
from cds.suppress import Viewer, words_key

_USUAL_SECONDS = 2


def present(assessment: Assessment, context: PatientContext) -> list[Card]:
    """[] means: looked, nothing to say. `context`: the facts that were asked about; the row keeps the same ones."""
    service = registry.get(assessment.service_id)
    outcome = assessment.outcome
    if outcome is not None:
        return service.cards(outcome, context)
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


def restricted() -> Card:
    """For a chart that is opened for a reason only: not what was found, not even whether anything was looked for."""
    return Card(
        summary="This chart is restricted. To see what Bedside says, open Bedside and give a reason.",
        indicator="info",
    )


def issued(assessment: Assessment, cards: list[Card], *, viewer: Viewer) -> list[IssuedCard]:
    """Rows, still to be inserted, that tell which cards left the house, and to whom.

    By them feedback finds the assessment, and no card comes too often.
    """
    outcome = assessment.outcome
    return [
        IssuedCard(
            uuid=card.uuid,
            assessment=assessment,
            summary_kind=outcome.rule if outcome else assessment.status,
            user_key=viewer.user_key,
            words_key=words_key(card, assessment.ehr) if outcome else "",  # pending and failed cards count for nothing
            hook_instance=viewer.hook_instance,
        )
        for card in cards
    ]
