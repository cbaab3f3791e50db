"""A report that an answer is wrong: one of each clinician and answer, and the last word counts."""

from __future__ import annotations

import pytest

from cds.errors import BadInput
from cds.feedback import report_wrong
from cds.models import Assessment, AuditEntry, Ehr, Feedback
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
