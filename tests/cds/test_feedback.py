"""Feedback: a report that an answer is wrong, one of each clinician and answer; what an EHR sends, whole or not at all."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import ClassVar
from uuid import uuid4

import pytest

from cds import registry
from cds.errors import BadInput
from cds.feedback import hear, report_wrong
from cds.models import Assessment, AuditEntry, Ehr, Feedback, IssuedCard
from cds.service import DecisionService
from tests.cds.test_flow import opened

pytestmark = pytest.mark.django_db


@pytest.fixture
def assessment(ehr: Ehr) -> Assessment:
    return opened(ehr)


def test_the_last_word_of_a_clinician_counts_and_is_news_to_the_reviewer(assessment: Assessment) -> None:
    first = report_wrong(assessment, actor="a", reason="other", comment="hm")
    Feedback.objects.update(reviewed_at=first.received_at)
    report_wrong(assessment, actor="a", reason="number", comment="too high")
    row = Feedback.objects.get()
    assert (row.reason, row.comment, row.reviewed_at) == ("number", b"too high", None)
    assert [entry.detail for entry in AuditEntry.objects.filter(action="report-wrong")] == [
        {"reason": "other"},
        {"reason": "number"},
    ]


def test_two_clinicians_have_two_reports(assessment: Assessment) -> None:
    for actor in ("a", "b"):
        report_wrong(assessment, actor=actor, reason="advice")
    assert Feedback.objects.count() == 2


def test_saying_the_same_again_changes_nothing(assessment: Assessment) -> None:
    first = report_wrong(assessment, actor="a", reason="other", comment="  hm ")
    second = report_wrong(assessment, actor="a", reason="other", comment="hm")
    assert (first.pk, first.outcome_at) == (second.pk, second.outcome_at)
    assert AuditEntry.objects.filter(action="report-wrong").count() == 1


def test_a_reason_that_is_not_offered_is_refused(assessment: Assessment) -> None:
    with pytest.raises(BadInput):
        report_wrong(assessment, actor="a", reason="x" * 200)


# --- What an EHR sends -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("body", [b'{"feedback": [{"card": "\xff"}]}', b'{"feedback": [{"card":' + b"[" * 100_000])
def test_what_cannot_be_decoded_is_refused(ehr: Ehr, body: bytes) -> None:
    with pytest.raises(BadInput, match="shape"):
        hear(body, service=registry.get("diabetes-risk"), ehr=ehr)


def test_more_than_anybody_does_at_once_is_refused_as_a_whole(ehr: Ehr) -> None:
    said = {"card": str(uuid4()), "outcome": "accepted", "outcomeTimestamp": "2026-11-22T10:00:00Z"}
    many = {"feedback": [said] * 1001}
    with pytest.raises(BadInput, match="in parts"):
        hear(json.dumps(many).encode(), service=registry.get("diabetes-risk"), ehr=ehr)
    assert not Feedback.objects.exists()


class Tireless(DecisionService):
    """Its snooze is longer than time itself, so that keeping it fails."""

    id = "tireless"
    snoozes: ClassVar[dict[str, timedelta]] = {"never": timedelta.max}


def entry(assessment: Assessment, reason: str, *, time: str = "2026-11-22T10:00:00Z") -> dict[str, object]:
    card = IssuedCard.objects.create(uuid=uuid4(), assessment=assessment, summary_kind="rule")
    said = {"reason": {"code": reason}}
    return {"card": str(card.pk), "outcome": "overridden", "outcomeTimestamp": time, "overrideReason": said}


def test_a_message_is_kept_whole_or_not_at_all(assessment: Assessment) -> None:
    body = json.dumps({"feedback": [entry(assessment, "other"), entry(assessment, "never")]}).encode()
    with pytest.raises(OverflowError):
        hear(body, service=Tireless(), ehr=assessment.ehr)
    assert not Feedback.objects.exists()
    assert not AuditEntry.objects.filter(action="feedback").exists()


@pytest.mark.parametrize("time", ["2026-11-22T10:00:00", "2026-11-22", "9999-12-31T23:59:59-14:00", "soon"])
def test_a_time_that_is_no_moment_is_refused(assessment: Assessment, time: str) -> None:
    body = json.dumps({"feedback": [entry(assessment, "other", time=time)]}).encode()
    with pytest.raises(BadInput):
        hear(body, service=Tireless(), ehr=assessment.ehr)
    assert not Feedback.objects.exists()
