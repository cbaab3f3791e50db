"""Preparations side by side: figures that can be checked by hand, and nothing is preferred that is not surely better."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.cohorts import Cohort, Numbers
from scoring.preparation import Fill, Outliers, Preparation
from scoring.preparations import Predict, compare, every

LIMITS = {"sugar": (-2.0, 2.0)}


def untouched(rows: Numbers, copy: int) -> Numbers:
    return rows


def by_regression(people: Cohort) -> Predict:
    """Reads missing values as zero, so that filling them is worth something."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(np.nan_to_num(people.rows), people.label, sample_weight=people.weight)
    return lambda rows: np.asarray(model.predict_proba(np.nan_to_num(rows))[:, 1])


@pytest.fixture(scope="module")
def halves(cohort: Cohort) -> tuple[Cohort, Cohort]:
    return cohort.split("2001-2002")


def test_all_nine_ways_are_compared_with_rows_as_they_are_first() -> None:
    names = [option.name for option in every(LIMITS)]
    assert names[0] == "keep+native"
    assert len(set(names)) == 9


def test_outliers_are_counted_with_how_many_of_them_are_ill(halves: tuple[Cohort, Cohort]) -> None:
    early, late = halves
    options = [Preparation(), Preparation(outliers=Outliers.LIMITS, limits=LIMITS)]
    found = compare(options, early, late, grow=by_regression, hide=untouched, copies=1, seed=1)["options"]
    beyond = np.abs(early.rows[:, 0]) > 2
    assert found["keep+native"]["outliers"] == {}
    assert found["limits+native"]["outliers"] == {
        "sugar": {
            "per_100": pytest.approx(100 * beyond.mean()),
            "label_per_100": pytest.approx(100 * early.label[beyond].mean()),
        }
    }


def test_the_loss_is_that_of_scikit_learn(halves: tuple[Cohort, Cohort]) -> None:
    from sklearn.metrics import log_loss

    early, late = halves
    found = compare([Preparation()], early, late, grow=by_regression, hide=untouched, copies=1, seed=1)["options"]
    expected = log_loss(late.label, by_regression(early)(late.rows))
    assert found["keep+native"]["loss"] == pytest.approx(expected)
    assert found["keep+native"]["worse"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_what_is_not_surely_better_is_not_taken_and_what_is_is(halves: tuple[Cohort, Cohort]) -> None:
    early, late = (half.with_rows(half.rows + 5) for half in halves)  # now zero is far from every known value
    options = [Preparation(fill=fill) for fill in (Fill.MEDIAN, Fill.MICE, Fill.NATIVE)]
    found = compare(options, early, late, grow=by_regression, hide=untouched, copies=1, seed=1)
    assert found["taken"] == "keep+median"
    assert found["options"]["keep+native"]["worse"]["low"] > 0
    turned = compare(options[::-1], early, late, grow=by_regression, hide=untouched, copies=1, seed=1)
    assert turned["taken"] in {"keep+median", "keep+mice"}


def test_copies_hide_parts_and_count_for_one_person_together(halves: tuple[Cohort, Cohort]) -> None:
    early, late = halves
    shown: list[Cohort] = []

    def grow(people: Cohort) -> Predict:
        shown.append(people)
        return by_regression(people)

    def without_sugar(rows: Numbers, copy: int) -> Numbers:
        return rows if copy == 0 else np.where(np.arange(3) == 0, np.nan, rows)

    compare([Preparation()], early, late, grow=grow, hide=without_sugar, copies=3, seed=1)
    (people,) = shown
    assert len(people) == 3 * len(early)
    assert people.weight.sum() == pytest.approx(early.weight.sum())
    assert np.isnan(people.rows[len(early) :, 0]).all()
    assert not np.isnan(people.rows[: len(early), 0]).any()
