"""Hear: what clinicians did with our cards, kept once however often it is sent (CDS Hooks 2.0.1, "Feedback")."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from cds import audit
from cds.errors import BadInput
from cds.models import Ehr, Feedback, IssuedCard
from cds.service import DecisionService
from cds.suppress import snooze

logger = logging.getLogger(__name__)


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
    outcome_timestamp: datetime
    accepted_suggestions: list[_Suggestion] = []
    override_reason: _Override | None = None


class _Body(msgspec.Struct):
    feedback: list[_Entry]


def hear(body: bytes, *, service: DecisionService, ehr: Ehr) -> list[Feedback]:
    """Store each entry; an unknown card is kept and logged, since another of our servers may have issued it."""
    try:
        entries = msgspec.json.decode(body, type=_Body).feedback
    except msgspec.DecodeError as error:
        raise BadInput("the feedback does not have the shape that CDS Hooks gives it") from error
    heard = [
        _keep(entry, suggestion, service=service, ehr=ehr) for entry in entries for suggestion in _suggestions(entry)
    ]
    audit.record("feedback", actor=ehr.name[:64], ehr=ehr, subject=service.id, entries=len(heard))
    return heard


def _suggestions(entry: _Entry) -> list[str]:
    return [suggestion.id[:64] for suggestion in entry.accepted_suggestions] or [""]


def _keep(entry: _Entry, suggestion: str, *, service: DecisionService, ehr: Ehr) -> Feedback:
    override = entry.override_reason
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
            "comment": override.user_comment.encode() if override and override.user_comment else None,
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
