"""Figures agree with scikit-learn, with sums done by hand, and know how sure they are."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from scoring import evaluate

DRAW = np.random.default_rng(5)
SCORE = np.round(DRAW.random(400), 2)  # rounded, so that there are ties
LABEL = DRAW.random(400) < SCORE
WEIGHT = DRAW.random(400)


def test_auroc_is_that_of_scikit_learn_with_weights_and_ties() -> None:
    expected = roc_auc_score(LABEL, SCORE, sample_weight=WEIGHT)
    assert evaluate.auroc(LABEL, SCORE)(WEIGHT) == pytest.approx(expected, abs=1e-12)


def test_brier_is_that_of_scikit_learn() -> None:
    expected = brier_score_loss(LABEL, SCORE, sample_weight=WEIGHT)
    assert evaluate.brier(LABEL, SCORE)(WEIGHT) == pytest.approx(expected)


def test_observed_over_expected_counts_cases_against_probabilities() -> None:
    label, probability = np.array([True, False, True, False]), np.array([0.5, 0.5, 0.25, 0.75])
    assert evaluate.observed_expected(label, probability)(np.ones(4)) == 1.0
    assert evaluate.observed_expected(label, probability)(np.array([1.0, 1, 3, 1])) == pytest.approx(4 / 2.5)


def test_the_interval_holds_the_figure_and_narrows_with_people() -> None:
    few = evaluate.bootstrap(evaluate.auroc(LABEL, SCORE), np.ones(400), seed=1, resamples=200)
    label, score = np.tile(LABEL, 25), np.tile(SCORE, 25)
    many = evaluate.bootstrap(evaluate.auroc(label, score), np.ones(10_000), seed=1, resamples=200)
    assert few.low < few.value < few.high
    assert (many.high - many.low) == pytest.approx((few.high - few.low) / 5, rel=0.3)


def test_the_same_seed_draws_the_same_people() -> None:
    measure = evaluate.brier(LABEL, SCORE)
    one, other = (evaluate.bootstrap(measure, WEIGHT, seed=seed, resamples=20) for seed in (1, 2))
    assert evaluate.bootstrap(measure, WEIGHT, seed=1, resamples=20) == one != other


def test_probabilities_that_are_too_extreme_have_a_slope_below_one() -> None:
    margin = DRAW.normal(size=20_000)
    label = DRAW.random(20_000) < 1 / (1 + np.exp(-margin))
    intercept, slope = evaluate.calibration_line(label, margin, np.ones(20_000))
    assert [intercept, slope] == pytest.approx([0, 1], abs=0.1)
    assert evaluate.calibration_line(label, 2 * margin + 1, np.ones(20_000))[1] == pytest.approx(0.5, abs=0.05)


def test_a_threshold_counts_alerts_cases_found_and_cases_among_alerts() -> None:
    label = np.array([True, True, False, False, False])
    figures = evaluate.at_threshold(label, np.array([0.3, 0.1, 0.2, 0.1, 0.0]), threshold=0.2, weight=np.ones(5))
    assert (figures.alerts_per_100, figures.sensitivity, figures.ppv) == (40.0, 0.5, 0.5)
    assert figures.specificity == pytest.approx(2 / 3)


def test_a_probability_at_the_threshold_is_an_alert() -> None:
    figures = evaluate.at_threshold(np.array([True, False]), np.array([0.1, 0.0]), threshold=0.1, weight=np.ones(2))
    assert figures.sensitivity == 1.0


def test_without_alerts_there_is_no_predictive_value() -> None:
    figures = evaluate.at_threshold(np.array([True, False]), np.array([0.1, 0.0]), threshold=0.5, weight=np.ones(2))
    assert (figures.ppv, figures.sensitivity) == (None, 0.0)
