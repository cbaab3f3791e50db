"""What turned out: the first HbA1c that counts, else a diagnosis; and nothing where nothing can be said."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from cds.context import PatientContext
from cds.service import Truth
from cds.services.diabetes.service import DiabetesRisk
from cds.services.diabetes.tests.charts import NOW, chart, days_ago, diagnosis, drug, glucose, hba1c, measured

TYPE_2 = "44054006"  # SNOMED CT
SINCE = NOW - timedelta(days=60)


def truth(context: PatientContext, *, since: datetime = SINCE) -> Truth | None:
    return DiabetesRisk().truth(context, since=since)


def says(*facts: Any) -> bool | None:
    found = truth(chart(*facts))
    return found.label if found else None


def test_nothing_new_says_nothing() -> None:
    assert says(glucose(140)) is None


@pytest.mark.parametrize(("value", "unit", "label"), [(6.5, "%", True), (6.4, "%", False), (48, "mmol/mol", True)])
def test_an_hba1c_decides_as_it_does_in_training(value: float, unit: str, label: bool) -> None:
    assert says(hba1c(value, unit, at=days_ago(20))) is label


def test_the_moment_is_that_of_the_sample() -> None:
    found = truth(chart(hba1c(7, at=days_ago(20))))
    assert found is not None
    assert (found.at.date().isoformat(), found.known_by) == (days_ago(20), "result")


def test_the_first_result_decides() -> None:
    assert says(hba1c(6.8, at=days_ago(3)), hba1c(6.1, at=days_ago(40))) is False


def test_a_sample_of_that_very_day_counts_and_an_older_one_does_not() -> None:
    assert says(hba1c(7, at=days_ago(60))) is True
    assert says(hba1c(7, at=days_ago(61))) is None


def test_after_half_a_year_it_may_be_a_new_disease() -> None:
    late = truth(chart(hba1c(7, at=days_ago(1))), since=NOW - timedelta(days=182))
    assert late is None


def test_a_low_value_under_treatment_rules_nothing_out() -> None:
    metformin = drug("metformin", "6809", system="http://www.nlm.nih.gov/research/umls/rxnorm", start=days_ago(50))
    assert says(metformin, hba1c(6.0, at=days_ago(10))) is None
    assert says(metformin, hba1c(6.9, at=days_ago(10))) is True
    assert says(metformin, hba1c(6.0, at=days_ago(55))) is False  # before the first tablet


def test_an_hba1c_that_may_not_be_interpreted_says_nothing() -> None:
    assert says(diagnosis("417357006"), hba1c(5.0, at=days_ago(10))) is None  # sickling disorder


def test_a_diagnosis_is_true_whenever_it_is_said_to_have_begun() -> None:
    assert says(diagnosis(TYPE_2, start=days_ago(30))) is True
    assert says(diagnosis(TYPE_2, start=days_ago(3000))) is True
    assert says(diagnosis(TYPE_2)) is True


def test_a_diagnosis_is_of_a_day_after_the_question() -> None:
    found = truth(chart(diagnosis(TYPE_2, start=days_ago(3000))))
    assert found is not None
    assert (found.at, found.known_by) == (SINCE, "diagnosis")


def test_a_suspicion_is_no_diagnosis() -> None:
    assert says(diagnosis(TYPE_2, certain=False)) is None


def test_a_result_outweighs_a_diagnosis() -> None:
    assert says(diagnosis(TYPE_2, start=days_ago(5)), hba1c(6.1, at=days_ago(40))) is False


def test_the_model_s_row_is_that_of_training() -> None:
    row = DiabetesRisk().row(chart(glucose(118), measured("bmi", 31)))
    assert row is not None
    assert (row[0], row[1], row[2], row[-1]) == (52, 0, 31, 118)


def test_where_the_model_does_not_decide_there_is_no_row() -> None:
    assert DiabetesRisk().row(chart(diagnosis(TYPE_2))) is None
    assert DiabetesRisk().row(chart(hba1c(5.1))) is None
