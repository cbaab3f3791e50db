"""Partial dates are intervals, in the zone of the EHR; what is no date is None and never an error."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from cds.facts import When
from cds.fhir.dates import parse

AUCKLAND = ZoneInfo("Pacific/Auckland")


def when(text: str) -> When:
    found = parse(text, AUCKLAND)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024", date(2024, 1, 1), date(2024, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2024-02-10", date(2024, 2, 10), date(2024, 2, 10)),
        ("9999-12-31", date(9999, 12, 31), date(9999, 12, 31)),
    ],
)
def test_a_partial_date_is_the_interval_that_it_covers(text: str, first: date, last: date) -> None:
    found = when(text)
    assert (found.earliest.date(), found.latest.date(), found.text) == (first, last, text)
    assert found.earliest.tzinfo is AUCKLAND


def test_a_whole_day_ends_where_the_next_begins() -> None:
    assert (when("2024-02-11").earliest - when("2024-02-10").latest).total_seconds() == pytest.approx(1e-6)


def test_a_moment_is_a_moment() -> None:
    found = when("2024-02-10T09:30:00+13:00")
    assert found.earliest == found.latest == datetime(2024, 2, 10, 9, 30, tzinfo=AUCKLAND)


def test_the_day_is_that_of_the_clinics_calendar() -> None:
    assert when("2024-02-10T22:30:00Z").day == date(2024, 2, 11)
    assert when("2024-02-10T22:30:00Z").text == "2024-02-10T22:30:00Z"


def test_a_moment_without_a_zone_is_local() -> None:
    assert when("2024-02-10T22:30:00").day == date(2024, 2, 10)


def test_fractions_of_a_second_are_read() -> None:
    assert when("2024-02-10T22:30:00.123Z").earliest.microsecond == 123_000


@pytest.mark.parametrize(
    "text",
    [
        *("", None, "unknown", "2024-13", "2024-00", "2024-02-30", "2024-00-10", "24-02-", "2024-W05-1", "2024/02/10"),
        *(
            "10.02.2024",
            "2024-02-10T25:00:00Z",
            "2024-02-10T",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-12:00",
        ),
        "2024-01-01-01",
    ],
)
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert parse(text, AUCKLAND) is None


def test_surely_apart_means_no_common_day() -> None:
    assert when("2024-02-10").apart(when("2024-02-11"))
    assert not when("2024-02-10").apart(when("2024-02"))
    assert not when("2024-02-10T22:00:00Z").apart(when("2024-02-11"))


@pytest.mark.parametrize(("text", "words"), [("2024", "2024"), ("2024-02", "Feb 2024"), ("2024-02-09", "9 Feb 2024")])
def test_a_date_is_shown_as_exactly_as_it_was_recorded(text: str, words: str) -> None:
    assert when(text).words == words
