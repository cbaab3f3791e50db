"""Comments are searched in clear, within bounds; that somebody searched is on record, for which words is not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from cds.comments import BATCH, MOST_FOUND, MOST_READ, Found, Wanted, search
from cds.models import AuditEntry, Ehr, Feedback


@pytest.fixture
def said(ehr: Ehr) -> None:
    for number, (comment, hints, days) in enumerate(
        [("Glucose is WRONG here", "wrong", 1), ("fine", "", 2), ("wrong glucose, old", "wrong,stale", 40)]
    ):
        Feedback.objects.create(
            ehr=ehr,
            service_id="diabetes-risk",
            card_uuid=str(number),
            outcome="overridden",
            comment=comment.encode(),
            hints=hints,
            outcome_at=timezone.now(),
            received_at=timezone.now() - timedelta(days=days),
        )


def found(**wanted: object) -> Found:
    return search(Wanted(**wanted), actor="admin 1")  # type: ignore[arg-type]


def numbers(result: Found) -> list[str]:
    return [row.card_uuid for row in result.rows]


def test_all_words_in_any_order_and_case(said: None) -> None:
    assert numbers(found(text="wrong GLUCOSE")) == ["2", "0"]
    assert numbers(found(text="wrong insulin")) == []


def test_no_words_find_every_comment(said: None) -> None:
    assert numbers(found()) == ["2", "1", "0"]


def test_days_hints_service_and_hospital_narrow_it_before_anything_is_read(said: None, ehr: Ehr) -> None:
    assert found(since=timezone.now() - timedelta(days=30)).read == 2
    assert (found(hints="any").read, found(hints="stale").read) == (2, 1)
    assert found(service_id="metformin-renal").read == 0
    assert found(ehr=ehr).read == 3


def test_a_search_is_on_record_without_its_words(said: None) -> None:
    found(text="wrong lindqvist")
    entry = AuditEntry.objects.get(action="search-comments")
    assert (entry.actor, entry.subject, entry.detail) == ("admin 1", "", {"read": 3, "found": 0})


def pile_up(ehr: Ehr, count: int) -> None:
    given = {"ehr": ehr, "service_id": "diabetes-risk", "outcome": "overridden", "outcome_at": timezone.now()}
    Feedback.objects.bulk_create(Feedback(card_uuid=f"n{number}", comment=b"newer", **given) for number in range(count))


def test_the_newest_are_read_up_to_a_bound_and_that_is_said(said: None, ehr: Ehr) -> None:
    pile_up(ehr, MOST_READ)
    result = found(text="wrong")
    assert (numbers(result), result.read, result.whole) == ([], MOST_READ, False)


def test_a_batch_ends_where_the_next_begins(said: None, ehr: Ehr) -> None:
    pile_up(ehr, BATCH)
    result = found(text="wrong")
    assert (numbers(result), result.read, result.whole) == (["2", "0"], BATCH + 3, True)


def test_no_more_than_fit_on_a_page_are_found(said: None, ehr: Ehr) -> None:
    pile_up(ehr, MOST_FOUND)
    result = found()
    assert (len(result.rows), result.whole) == (MOST_FOUND, False)
