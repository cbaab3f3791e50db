"""Look-backs and ages, by the calendar."""

from __future__ import annotations

from datetime import date

import pytest

from cds.dates import months_before, years_between


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [
        (date(2026, 3, 31), 1, date(2026, 2, 28)),
        (date(2028, 3, 31), 1, date(2028, 2, 29)),
        (date(2026, 1, 15), 1, date(2025, 12, 15)),
        (date(2028, 2, 29), 12 * 61, date(1967, 2, 28)),
        (date(2028, 2, 29), 0, date(2028, 2, 29)),
    ],
)
def test_it_is_the_same_day_of_an_earlier_month_or_its_last(day: date, months: int, before: date) -> None:
    assert months_before(day, months) == before


@pytest.mark.parametrize(
    ("born", "day", "years"),
    [
        (date(1965, 11, 26), date(2026, 11, 25), 60),
        (date(1965, 11, 26), date(2026, 11, 26), 61),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
    ],
)
def test_a_year_is_whole_on_the_birthday(born: date, day: date, years: int) -> None:
    assert years_between(born, day) == years


@pytest.mark.parametrize("age", [0, 18, 61, 120])
@pytest.mark.parametrize("day", [date(2026, 11, 26), date(2028, 2, 29), date(2028, 12, 31)])
def test_who_was_born_that_many_years_ago_is_that_old(age: int, day: date) -> None:
    assert years_between(months_before(day, 12 * age), day) == age
