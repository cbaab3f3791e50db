"""What turned out: the first reading that counts, else a diagnosis; and nothing where nothing can be said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cds.services.diabetes.tests.charts import NOW, chart, days_ago, diagnosis, drug, measured
from cds.services.hypertension.service import HypertensionRisk
from cds.services.hypertension.tests.charts import pressure

SINCE = NOW - timedelta(days=60)


def says(*facts: Any, since: Any = SINCE) -> bool | None:
    found = HypertensionRisk().truth(chart(*facts), since=since)
    return found.label if found else None


def test_nothing_new_says_nothing() -> None:
    assert says(measured("bmi", 31)) is None


@pytest.mark.parametrize(("numbers", "label"), [((140, 70), True), ((139, 89), False), ((120, 90), True)])
def test_a_reading_decides_as_it_does_in_training(numbers: tuple[float, float], label: bool) -> None:
    assert says(*pressure(*numbers, at=days_ago(20))) is label


def test_the_first_reading_decides() -> None:
    assert says(*pressure(160, 90, at=days_ago(3)), *pressure(120, 70, at=days_ago(40))) is False


def test_a_reading_of_that_very_day_counts_and_an_older_one_does_not() -> None:
    assert says(*pressure(150, 90, at=days_ago(60))) is True
    assert says(*pressure(150, 90, at=days_ago(61))) is None


def test_after_half_a_year_it_may_be_a_new_disease() -> None:
    assert says(*pressure(150, 90, at=days_ago(1)), since=NOW - timedelta(days=182)) is None


def test_a_low_reading_under_treatment_rules_nothing_out() -> None:
    treated = drug("lisinopril", start=days_ago(50))
    assert says(treated, *pressure(120, 70, at=days_ago(10))) is None
    assert says(treated, *pressure(150, 70, at=days_ago(10))) is True


def test_one_low_number_alone_rules_nothing_out() -> None:
    assert says(measured("systolic", 120, at=days_ago(10))) is None


def test_a_diagnosis_is_true_and_a_suspicion_is_not() -> None:
    assert says(diagnosis("38341003", start=days_ago(30))) is True
    assert says(diagnosis("38341003", start=days_ago(30), certain=False)) is None
