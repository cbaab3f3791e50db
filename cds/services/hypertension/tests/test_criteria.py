"""The guidelines' criteria, to the edge of each."""

from __future__ import annotations

from typing import Any

import pytest

from cds.services.diabetes.tests.charts import aged, chart, months_ago
from cds.services.hypertension.criteria import finding
from cds.services.hypertension.tests.charts import pressure


def rule(*facts: Any, **more: Any) -> str:
    found = finding(chart(*facts, **more))
    return found.rule if found else ""


@pytest.mark.parametrize(
    ("systolic", "diastolic", "said"),
    [
        (139, 89, "recently-normal"),
        (140, 70, "confirm"),
        (120, 90, "confirm"),
        (179, 109, "confirm"),
        (180, 90, "severe"),
        (150, 110, "severe"),
    ],
)
def test_one_number_at_its_cut_off_is_enough(systolic: float, diastolic: float, said: str) -> None:
    assert rule(*pressure(systolic, diastolic)) == said


def test_without_a_pressure_the_question_is_open() -> None:
    assert rule() == ""


def test_two_days_confirm_each_other() -> None:
    found = finding(chart(*pressure(148, 92), *pressure(141, 80, at=months_ago(23))))
    assert found is not None
    assert (found.rule, len(found.evidence), found.indicator) == ("criteria-twice", 4, "warning")


def test_two_readings_of_one_day_are_one() -> None:
    one = pressure(150, 92, at="2026-03-01T09:00:00+13:00")
    assert rule(*one, *pressure(152, 94, at="2026-03-01T15:00:00+13:00")) == "confirm"


def test_a_month_that_may_hold_the_same_day_confirms_nothing() -> None:
    assert rule(*pressure(150, 92, at="2026-03-01"), *pressure(152, 94, at="2026-03")) == "confirm"


def test_an_old_raised_reading_confirms_nothing() -> None:
    assert rule(*pressure(148, 92), *pressure(141, 80, at=months_ago(25))) == "confirm"


def test_a_newer_normal_reading_hides_a_raised_one() -> None:
    assert rule(*pressure(128, 78), *pressure(150, 95, at=months_ago(6))) == "recently-normal"


def test_a_raised_reading_that_is_too_old_opens_the_question_again() -> None:
    assert rule(*pressure(150, 95, at=months_ago(24))) == "confirm"
    assert rule(*pressure(150, 95, at=months_ago(24, days=-1))) == ""


def test_a_severe_reading_of_more_than_a_year_ago_is_to_be_confirmed() -> None:
    assert rule(*pressure(185, 95, at=months_ago(12))) == "severe"
    assert rule(*pressure(185, 95, at=months_ago(12, days=-1))) == "confirm"


@pytest.mark.parametrize(("years", "months"), [(52, 12), (30, 36)])
def test_a_normal_reading_is_silent_until_the_next_is_due(years: int, months: int) -> None:
    patient = aged(years)
    assert rule(*pressure(118, 76, at=months_ago(months, days=1)), patient=patient) == "recently-normal"
    assert rule(*pressure(118, 76, at=months_ago(months)), patient=patient) == ""
