"""What is prepared is learnt from training rows, comes out the same for the same seed, and leaves binary columns alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scoring.cohorts import Cohort
from scoring.preparation import Fill, Outliers, Preparation

PEOPLE = 600
GLUCOSE, BMI, SEX, SMOKES = range(4)


@pytest.fixture(scope="module")
def people() -> Cohort:
    """Glucose goes with BMI; some of each are missing; a few hundred smokers are so few that a fence would cut them off."""
    draw = np.random.default_rng(11)
    bmi = draw.normal(28, 5, PEOPLE)
    glucose = 100 + 3 * (bmi - 28) + draw.normal(0, 8, PEOPLE)
    rows = np.column_stack([glucose, bmi, np.arange(PEOPLE) % 2, np.arange(PEOPLE) % 10 == 0])
    rows[:3, GLUCOSE] = 410, 650, 20
    rows[100:200, GLUCOSE] = np.nan
    rows[150:300, BMI] = np.nan
    return Cohort(
        source="made up",
        sha256="0" * 64,
        features=("glucose", "bmi", "sex", "smokes"),
        rows=rows,
        label=np.arange(PEOPLE) % 3 == 0,
        person=np.arange(PEOPLE).astype(np.str_),
    )


def test_by_default_rows_stay_as_they_are(people: Cohort) -> None:
    prepared = Preparation().fit(people, seed=1)
    assert prepared.draws == 1
    assert np.array_equal(prepared.apply(people.rows), people.rows, equal_nan=True)


def test_a_value_beyond_the_physiological_limits_is_missing_and_one_at_them_is_not(people: Cohort) -> None:
    prepared = Preparation(outliers=Outliers.LIMITS, limits={"glucose": (30, 400)}).fit(people, seed=1)
    rows = np.array([[400.0, 500, 0, 1], [401, 28, 0, 1], [29, 28, 0, 1]])
    assert np.isnan(prepared.apply(rows)).tolist() == [[False] * 4, [True, *[False] * 3], [True, *[False] * 3]]


def test_fences_stand_one_and_a_half_quartile_ranges_out(people: Cohort) -> None:
    prepared = Preparation(outliers=Outliers.IQR).fit(people, seed=1)
    low, high = np.nanpercentile(people.rows[:, GLUCOSE], [25, 75])
    assert prepared.high[GLUCOSE] == pytest.approx(high + 1.5 * (high - low))
    assert prepared.low[GLUCOSE] == pytest.approx(low - 1.5 * (high - low))
    assert np.isnan(prepared.apply(people.rows)[:3, GLUCOSE]).all()


def test_fences_leave_binary_columns_alone_and_columns_of_which_most_is_one_value(people: Cohort) -> None:
    rows = people.rows.copy()
    rows[:, BMI] = np.where(np.arange(PEOPLE) % 9 == 0, np.arange(PEOPLE), 0.0)
    prepared = Preparation(outliers=Outliers.IQR).fit(people.with_rows(rows), seed=1)
    assert not prepared.outlying(rows)[:, [BMI, SEX, SMOKES]].any()


@pytest.mark.parametrize("fill", [Fill.MEDIAN, Fill.MICE])
def test_after_filling_nothing_is_missing_and_what_was_known_is_as_it_was(people: Cohort, fill: Fill) -> None:
    filled = Preparation(fill=fill).fit(people, seed=1).apply(people.rows)
    known = ~np.isnan(people.rows)
    assert not np.isnan(filled).any()
    assert np.array_equal(filled[known], people.rows[known])


def test_an_outlier_is_filled_like_any_missing_value(people: Cohort) -> None:
    prepared = Preparation(outliers=Outliers.LIMITS, fill=Fill.MEDIAN, limits={"glucose": (30, 400)})
    kept = people.rows[3:, GLUCOSE]
    assert prepared.fit(people, seed=1).apply(people.rows)[1, GLUCOSE] == np.nanmedian(kept)


def test_medians_and_fences_are_those_of_training_whoever_is_prepared(people: Cohort) -> None:
    prepared = Preparation(outliers=Outliers.IQR, fill=Fill.MEDIAN).fit(people, seed=1)
    strangers = np.array([[np.nan, np.nan, 1, 0], [300.0, 60, 0, 0], [299.0, 61, 0, 0]])
    together, alone = prepared.apply(strangers), prepared.apply(strangers[:1])
    assert together[0].tolist() == alone[0].tolist()
    assert together[1, GLUCOSE] == together[0, GLUCOSE]


def test_chained_equations_keep_the_relation_between_columns_that_the_median_loses(people: Cohort) -> None:
    guessed = np.isnan(people.rows[:, GLUCOSE]) & ~np.isnan(people.rows[:, BMI])
    bmi = people.rows[guessed, BMI]
    slopes = {
        fill: np.polyfit(bmi, Preparation(fill=fill).fit(people, seed=1).apply(people.rows)[guessed, GLUCOSE], 1)[0]
        for fill in (Fill.MEDIAN, Fill.MICE)
    }
    assert slopes[Fill.MICE] == pytest.approx(3, abs=2)
    assert slopes[Fill.MEDIAN] == pytest.approx(0, abs=1e-9)


def test_draws_differ_and_each_comes_out_the_same_again(people: Cohort) -> None:
    prepared = Preparation(fill=Fill.MICE).fit(people, seed=1)
    draws = [prepared.apply(people.rows, draw=draw) for draw in range(prepared.draws)]
    assert prepared.draws == 5
    assert not np.array_equal(draws[0], draws[1])
    assert np.array_equal(draws[1], prepared.apply(people.rows, draw=1))
    assert np.array_equal(draws[1], Preparation(fill=Fill.MICE).fit(people, seed=1).apply(people.rows, draw=1))
    assert not np.array_equal(draws[1], Preparation(fill=Fill.MICE).fit(people, seed=2).apply(people.rows, draw=1))


def test_drawn_values_stay_within_what_training_saw(people: Cohort) -> None:
    narrow = people.where(np.abs(people.rows[:, GLUCOSE] - 100) < 5)
    hidden = replace(people, rows=np.where(np.arange(4) == GLUCOSE, np.nan, people.rows))
    drawn = Preparation(fill=Fill.MICE).fit(narrow, seed=1).apply(hidden.rows)[:, GLUCOSE]
    assert drawn.min() >= np.nanmin(narrow.rows[:, GLUCOSE])
    assert drawn.max() <= np.nanmax(narrow.rows[:, GLUCOSE])
