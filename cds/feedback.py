"""Hear: what clinicians did with our cards, kept once however often it is sent (CDS Hooks 2.0.1, "Feedback")."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from cds import audit
from cds.errors import BadInput
from cds.fhir.decoding import UNREADABLE
from cds.hints import hints
from cds.models import Assessment, Ehr, Feedback, IssuedCard
from cds.service import DecisionService
from cds.suppress import snooze

logger = logging.getLogger(__name__)


WRONG = {
    "facts": "A value or a diagnosis is wrong, or not this patient's",
    "missing": "Something that matters was not considered",
    "number": "The number does not fit this patient",
    "advice": "The advice is not right for this patient",
    "other": "Something else",
}


class _Suggestion(msgspec.Struct):
    id: str


class _Reason(msgspec.Struct):
    code: str = ""


class _Override(msgspec.Struct, rename="camel"):
    reason: _Reason | None = None
    user_comment: str | None = None


class _Entry(msgspec.Struct, rename="camel"):
    card: str
    outcome: Literal["accepted", "overridden"]
    outcome_timestamp: Annotated[datetime, msgspec.Meta(tz=True)]  # a moment, not a time of day somewhere
    accepted_suggestions: list[_Suggestion] = []
    override_reason: _Override | None = None

    def __post_init__(self) -> None:
        """At the end of time a zone leads beyond it, and no database takes that; nor does PostgreSQL take a NUL."""
        reason = self.override_reason and self.override_reason.reason
        named = (self.card, reason.code if reason else "", *(one.id for one in self.accepted_suggestions))
        if any("\0" in name for name in named):
            raise ValueError("a NUL in a name")
        try:
            self.outcome_timestamp.astimezone(UTC)
        except OverflowError as error:
            raise ValueError("not a moment") from error


MOST_AT_ONCE = 1000  # an EHR sends what was done with one answer's cards, or collects them for minutes


class _Body(msgspec.Struct):
    feedback: list[_Entry]


def hear(body: bytes, *, service: DecisionService, ehr: Ehr) -> list[Feedback]:
    """Store each entry; an unknown card is kept and logged, since another of our servers may have issued it."""
    try:
        entries = msgspec.json.decode(body, type=_Body).feedback
    except UNREADABLE as error:
        raise BadInput("the feedback does not have the shape that CDS Hooks gives it") from error
    if len(entries) > MOST_AT_ONCE:
        raise BadInput(f"more than {MOST_AT_ONCE:,} entries of feedback; send them in parts")
    with transaction.atomic():
        heard = [
            _keep(entry, suggestion, service=service, ehr=ehr)
            for entry in entries
            for suggestion in _suggestions(entry)
        ]
        audit.record("feedback", actor=ehr.name[:64], ehr=ehr, subject=service.id, entries=len(heard))
    return heard


def report_wrong(assessment: Assessment, *, actor: str, reason: str, comment: str = "") -> Feedback:
    """A clinician says that an answer is wrong: one report for each of them and answer, the last word counts."""
    if reason not in WRONG:
        raise BadInput("not one of the reasons offered")
    now, said = timezone.now(), comment.strip().encode() or None
    telling = hints(comment)
    with transaction.atomic():
        row, created = Feedback.objects.select_for_update().get_or_create(
            assessment=assessment,
            actor=actor,
            outcome=Feedback.Outcome.WRONG,
            defaults={
                "ehr": assessment.ehr,
                "service_id": assessment.service_id,
                "reason": reason,
                "comment": said,
                "hints": telling,
                "outcome_at": now,
            },
        )
        if not created and (row.reason, row.comment) == (reason, said):
            return row
        row.reason, row.comment, row.hints, row.outcome_at, row.reviewed_at = reason, said, telling, now, None
        row.save()
        key, subject = assessment.patient_key, str(assessment.id)
        audit.record("report-wrong", actor=actor, ehr=assessment.ehr, patient_key=key, subject=subject, reason=reason)
    return row


def with_answers() -> QuerySet[Feedback]:
    """Each with the answer that it is about; whose facts are decrypted only where somebody looks at them."""
    rows = Feedback.objects.select_related("ehr", "assessment__ehr", "card__assessment__ehr")
    secret = ("snapshot", "result")
    return rows.defer(*(f"{way}__{name}" for way in ("assessment", "card__assessment") for name in secret))


def read(row: Feedback, *, actor: str) -> str:
    """The comment in clear; who reads it is on record first, since it may be about a patient."""
    if row.comment is None:
        return ""
    key = row.about.patient_key if row.about else ""
    audit.record("read-feedback", actor=actor, ehr=row.ehr, patient_key=key, subject=f"feedback {row.pk}")
    return row.said


def _suggestions(entry: _Entry) -> list[str]:
    return [suggestion.id[:64] for suggestion in entry.accepted_suggestions] or [""]


def _keep(entry: _Entry, suggestion: str, *, service: DecisionService, ehr: Ehr) -> Feedback:
    override = entry.override_reason
    comment = (override.user_comment if override else None) or ""
    row, _ = Feedback.objects.get_or_create(
        ehr=ehr,
        card_uuid=entry.card[:64],
        outcome=entry.outcome,
        outcome_at=entry.outcome_timestamp,
        suggestion=suggestion,
        defaults={
            "service_id": service.id,
            "card": _card(entry.card, ehr),
            "reason": override.reason.code[:100] if override and override.reason else "",
            "comment": comment.encode() or None,
            "hints": hints(comment),
        },
    )
    snooze(row, service=service)
    return row


def _card(uuid: str, ehr: Ehr) -> IssuedCard | None:
    try:
        card = IssuedCard.objects.filter(uuid=UUID(uuid), assessment__ehr=ehr).first()
    except ValueError:
        card = None
    if card is None:
        logger.warning("feedback for a card that we did not issue to this EHR")
    return card
