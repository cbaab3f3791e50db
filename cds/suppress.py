"""Alert fatigue: which cards are not shown, each counted with its reason. The page shows its answer all the same.

Held back are a card that says what the same user was shown a short while ago, a rule that was snoozed with a reason, and
what exceeds the user's budget of the day. Never held back: a critical card, and one without an answer (pending, failed).
A warning is silent only for the user who snoozed it. An answer that was retracted says nothing to anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import CharField, DateTimeField, IntegerField
from django.utils import timezone

from cds.cards import Card
from cds.finding import Outcome
from cds.models import Assessment, Ehr, EnabledService, Feedback, IssuedCard, Snooze, Suppression
from cds.prepared import Question
from cds.service import DecisionService

Reason = Suppression.Reason
_REPEATED_WITHIN = timedelta(minutes=10)

_snoozes = Question(
    lambda ehr, service_id, patient_key, rule, now: Snooze.objects.filter(
        ehr=ehr, service_id=service_id, patient_key=patient_key, rule=rule, until__gt=now
    ).only("user_key"),
    ehr=IntegerField(),
    service_id=CharField(),
    patient_key=CharField(),
    rule=CharField(),
    now=DateTimeField(),
)
_seen = Question(
    lambda user_key, words_key, since, patient_key, service_id: IssuedCard.objects.filter(
        user_key=user_key,
        words_key=words_key,
        issued_at__gt=since,
        assessment__patient_key=patient_key,
        assessment__service_id=service_id,
    ).only("pk")[:1],
    user_key=CharField(),
    words_key=CharField(),
    since=DateTimeField(),
    patient_key=CharField(),
    service_id=CharField(),
)


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who is about to see cards, through which call; `user_key` is "" where the EHR does not say."""

    user_key: str = ""
    hook_instance: str = ""


def spare(
    cards: list[Card], *, assessment: Assessment, enabled: EnabledService, viewer: Viewer
) -> tuple[list[Card], list[Suppression]]:
    """The cards to show, and rows, still to be inserted, that tell why the others are not."""
    outcome = assessment.outcome
    if outcome is None:
        return cards, []
    shown: list[Card] = []
    held: list[Suppression] = []
    for card in cards:
        reason = _reason(card, outcome, shown, assessment=assessment, enabled=enabled, viewer=viewer)
        if reason is None:
            shown.append(card)
        else:
            held.append(Suppression(assessment=assessment, reason=reason, rule=outcome.rule, user_key=viewer.user_key))
    return shown, held


def words_key(card: Card, ehr: Ehr) -> str:
    """Stands for what the card says: the same rule on the same facts says the same words."""
    return ehr.pseudonym(f"card|{card.indicator}|{card.summary}|{card.detail}")


def snooze(feedback: Feedback, *, service: DecisionService) -> None:
    """The reason of an override may silence the rule for a time: the service says how long. Again changes nothing."""
    length = service.snoozes.get(feedback.reason)
    card = feedback.card
    if feedback.outcome != Feedback.Outcome.OVERRIDDEN or length is None or card is None:
        return
    Snooze.objects.get_or_create(
        feedback=feedback,
        defaults={
            "ehr": feedback.ehr,
            "service_id": service.id,
            "patient_key": card.assessment.patient_key,
            "rule": card.summary_kind,
            "user_key": card.user_key,
            "reason": feedback.reason,
            "until": min(feedback.outcome_at, feedback.received_at) + length,
        },
    )


def _reason(
    card: Card,
    outcome: Outcome,
    shown: list[Card],
    *,
    assessment: Assessment,
    enabled: EnabledService,
    viewer: Viewer,
) -> Suppression.Reason | None:
    """Why this card is not shown; None if it is."""
    if assessment.retracted_at:
        return Reason.RETRACTED
    if card.indicator == "critical":
        return None
    said = words_key(card, assessment.ehr)
    if said in {words_key(other, assessment.ehr) for other in shown}:
        return Reason.DUPLICATE
    if enabled.snoozed and _snoozed(card, outcome.rule, assessment, viewer):
        return Reason.SNOOZE
    if card.indicator != "info" or not viewer.user_key or not _limited(enabled):
        return None
    held = None
    if _cooling_down(said, assessment, enabled, viewer):
        held = Reason.COOL_DOWN
    elif _spent(assessment, enabled, viewer, len(shown)):
        held = Reason.BUDGET
    return None if held and _asked_again(said, assessment, viewer) else held


def _snoozed(card: Card, rule: str, assessment: Assessment, viewer: Viewer) -> bool:
    """The reasons are about the patient, so an informing card is silent for everyone; a warning for that user only."""
    snoozes = _snoozes(
        ehr=assessment.ehr_id,
        service_id=assessment.service_id,
        patient_key=assessment.patient_key,
        rule=rule,
        now=timezone.now(),
    )
    return any(card.indicator == "info" or one.user_key == viewer.user_key != "" for one in snoozes)


def _limited(enabled: EnabledService) -> bool:
    return enabled.cool_down_hours > 0 or enabled.daily_budget is not None


def _cooling_down(said: str, assessment: Assessment, enabled: EnabledService, viewer: Viewer) -> bool:
    since = timezone.now() - timedelta(hours=enabled.cool_down_hours)
    seen = _seen(
        user_key=viewer.user_key,
        words_key=said,
        since=since,
        patient_key=assessment.patient_key,
        service_id=assessment.service_id,
    )
    return bool(seen)


def _asked_again(said: str, assessment: Assessment, viewer: Viewer) -> bool:
    """The EHR repeats a call whose answer it may never have got; what was in it is not old news."""
    lately = timezone.now() - _REPEATED_WITHIN
    again = IssuedCard.objects.filter(hook_instance=viewer.hook_instance, user_key=viewer.user_key, words_key=said)
    again = again.filter(issued_at__gt=lately, assessment__patient_key=assessment.patient_key)
    return bool(viewer.hook_instance) and again.exists()


def _spent(assessment: Assessment, enabled: EnabledService, viewer: Viewer, more: int) -> bool:
    """Were this user's cards of today, in the EHR's zone, as many as the service may show?"""
    if enabled.daily_budget is None:
        return False
    midnight = assessment.ehr.now().replace(hour=0, minute=0, second=0, microsecond=0)
    today = IssuedCard.objects.filter(user_key=viewer.user_key, issued_at__gte=midnight)
    today = today.filter(assessment__service_id=assessment.service_id).exclude(words_key="")
    return today.count() + more >= enabled.daily_budget
