"""Calibration rests on people whom no tree had seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from scoring import calibration
from scoring.cohorts import Cohort
from scoring.errors import CohortUnusable
from scoring.recipes import Recipe
from scoring.splits import CALIBRATE, left_out


def test_the_line_is_scikit_learns_logistic_regression_of_the_label_on_the_log_odds() -> None:
    draw = np.random.default_rng(3)
    margin, weight = draw.normal(-2, 1.5, 2000), draw.random(2000)
    label = draw.random(2000) < 1 / (1 + np.exp(1 - 0.7 * margin))
    line = calibration.platt(label, margin, weight)
    theirs = LogisticRegression(C=1e12, tol=1e-10).fit(margin.reshape(-1, 1), label, sample_weight=weight)
    assert [line.slope, line.intercept] == pytest.approx([theirs.coef_[0, 0], theirs.intercept_[0]], abs=1e-5)
    assert line.straighten(margin) == pytest.approx(theirs.predict_proba(margin.reshape(-1, 1))[:, 1], abs=1e-5)


def test_log_odds_that_fall_with_the_label_are_refused() -> None:
    margin = np.linspace(-2, 2, 400)
    label = np.random.default_rng(1).random(400) > 1 / (1 + np.exp(-margin))
    with pytest.raises(CohortUnusable, match="do not rise"):
        calibration.platt(label, margin, np.ones(400))


def test_what_is_true_of_the_people_left_out_has_no_part_in_what_is_said_of_them(
    recipe: Recipe, cohort: Cohort
) -> None:
    before = calibration.margins_of_strangers(recipe, cohort, recipe.params, seed=1)
    first, *_ = left_out(cohort, parts=recipe.folds, shuffle=CALIBRATE, seed=1)
    turned = replace(cohort, label=np.where(first, ~cohort.label, cohort.label))
    after = calibration.margins_of_strangers(recipe, turned, recipe.params, seed=1)
    assert np.array_equal(before[first], after[first])
    assert not np.array_equal(before[~first], after[~first])


def test_every_person_is_left_out_once_and_in_one_piece(cohort: Cohort) -> None:
    twice = replace(cohort, person=np.repeat(np.arange(600), 2).astype(np.str_), repeats=True)
    parts = np.array(left_out(twice, parts=5, shuffle=CALIBRATE, seed=1))
    assert (parts.sum(axis=0) == 1).all()
    assert np.array_equal(parts[:, 0::2], parts[:, 1::2])


def test_too_few_people_to_leave_some_out_is_said(cohort: Cohort) -> None:
    with pytest.raises(CohortUnusable, match="too few people"):
        left_out(cohort.where(np.arange(1200) < 4), parts=5, shuffle=CALIBRATE, seed=1)
