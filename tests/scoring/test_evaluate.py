"""Figures agree with scikit-learn, with sums done by hand, and know how sure they are."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, roc_auc_score, roc_curve

from scoring import evaluate
from scoring.evaluate import Numbers, Ranking, Tally

DRAW = np.random.default_rng(5)
SCORE = np.round(DRAW.random(400), 2)  # rounded, so that there are ties
LABEL = DRAW.random(400) < SCORE
WEIGHT = DRAW.random(400)
PERSON = np.arange(400).astype(np.str_)


def tally(label: evaluate.Labels = LABEL, score: Numbers = SCORE, weight: Numbers = WEIGHT) -> Tally:
    return Ranking(label, score).tally(weight)


def test_auroc_is_that_of_scikit_learn_with_weights_and_ties() -> None:
    expected = roc_auc_score(LABEL, SCORE, sample_weight=WEIGHT)
    assert evaluate.auroc(LABEL, SCORE)(WEIGHT) == pytest.approx(expected, abs=1e-12)


def test_average_precision_is_that_of_scikit_learn_with_weights_and_ties() -> None:
    expected = average_precision_score(LABEL, SCORE, sample_weight=WEIGHT)
    assert evaluate.average_precision(tally()) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("fixed", [0.5, 0.8, 0.9, 0.95])
def test_the_best_sensitivity_at_a_specificity_and_the_reverse_are_those_of_scikit_learns_curve(fixed: float) -> None:
    false, true, _ = roc_curve(LABEL, SCORE, sample_weight=WEIGHT, drop_intermediate=False)
    assert evaluate.sensitivity_at(tally(), specificity=fixed) == pytest.approx(true[1 - false >= fixed].max())
    assert evaluate.specificity_at(tally(), sensitivity=fixed) == pytest.approx((1 - false)[true >= fixed].max())


def test_a_resample_without_a_case_has_no_sensitivity_and_no_specificity_at_one() -> None:
    nobody = tally(weight=np.where(LABEL, 0.0, 1.0))
    assert np.isnan(evaluate.sensitivity_at(nobody, specificity=0.9))
    assert np.isnan(evaluate.specificity_at(nobody, sensitivity=0.9))
    assert np.isnan(evaluate.area_under_roc(nobody))


def test_f1_is_that_of_scikit_learn() -> None:
    expected = f1_score(LABEL, SCORE >= 0.4, sample_weight=WEIGHT)
    assert evaluate.at_threshold(tally(), 0.4)["f1"] == pytest.approx(expected)


def test_brier_is_that_of_scikit_learn() -> None:
    expected = brier_score_loss(LABEL, SCORE, sample_weight=WEIGHT)
    assert evaluate.brier(LABEL, SCORE)(WEIGHT) == pytest.approx(expected)


def test_the_calibration_line_is_scikit_learns_logistic_regression_for_every_resample() -> None:
    margin = DRAW.normal(size=400)
    weights = np.stack([WEIGHT, WEIGHT[::-1], np.ones(400)])
    lines = evaluate.calibration_line(LABEL, margin)(weights)
    for line, weight in zip(lines, weights, strict=True):
        theirs = LogisticRegression(C=1e12, tol=1e-10).fit(margin.reshape(-1, 1), LABEL, sample_weight=weight)
        assert line.tolist() == pytest.approx([theirs.intercept_[0], theirs.coef_[0, 0]], abs=1e-5)


def test_log_odds_that_are_turned_round_have_a_falling_line() -> None:
    margin = DRAW.normal(-3, 2, size=4000)
    label = DRAW.random(4000) >= evaluate.sigmoid(margin)
    line = evaluate.calibration_line(label, margin)(np.ones(4000))
    assert line.tolist() == pytest.approx([0, -1], abs=0.2)


def test_classes_that_are_apart_have_no_calibration_line() -> None:
    margin = np.array([-2.0, -1.0, 1.0, 2.0])
    line = evaluate.calibration_line(margin > 0, margin)(np.ones(4))
    assert np.isnan(line).all()


def test_observed_over_expected_counts_cases_against_probabilities() -> None:
    label, probability = np.array([True, False, True, False]), np.array([0.5, 0.5, 0.25, 0.75])
    assert evaluate.observed_expected(label, probability)(np.ones(4)) == 1.0
    assert evaluate.observed_expected(label, probability)(np.array([1.0, 1, 3, 1])) == pytest.approx(4 / 2.5)


def test_net_benefit_takes_needless_alerts_off_at_their_price() -> None:
    few = tally(np.array([True, True, False, False, False]), np.array([0.3, 0.1, 0.2, 0.1, 0.0]), np.ones(5))
    assert evaluate.net_benefit(few, 0.2) == pytest.approx((1 - 1 * 0.2 / 0.8) / 5)
    assert evaluate.net_benefit_of_alerting_on_all(few, 0.2) == pytest.approx((2 - 3 * 0.2 / 0.8) / 5)


def interval(label: evaluate.Labels, score: Numbers, *, seed: int = 1, count: int = 200) -> evaluate.Interval:
    area, once = evaluate.auroc(label, score), np.ones(len(label))
    people = np.arange(len(label)).astype(np.str_)
    return evaluate.bootstrap(lambda weight: {"": area(weight)}, people, once, seed=seed, count=count)[""]


def test_the_interval_holds_the_figure_and_narrows_with_people() -> None:
    few, many = interval(LABEL, SCORE), interval(np.tile(LABEL, 25), np.tile(SCORE, 25))
    assert few.value is not None
    assert few.low is not None
    assert few.high is not None
    assert many.low is not None
    assert many.high is not None
    assert few.low < few.value < few.high
    assert (many.high - many.low) == pytest.approx((few.high - few.low) / 5, rel=0.3)


def test_the_same_seed_draws_the_same_people() -> None:
    assert interval(LABEL, SCORE, seed=1, count=20) == interval(LABEL, SCORE, seed=1, count=20)
    assert interval(LABEL, SCORE, seed=1, count=20) != interval(LABEL, SCORE, seed=2, count=20)


def test_all_rows_of_a_person_are_drawn_together() -> None:
    person = np.repeat(PERSON[:100], 4)
    for weights in evaluate.resamples(person, np.ones(400), seed=1, count=50):
        assert (weights.reshape(-1, 100, 4) == weights.reshape(-1, 100, 4)[:, :, :1]).all()
        assert (weights.sum(axis=-1) == 400).all()


def test_a_threshold_counts_alerts_cases_found_and_cases_among_alerts() -> None:
    few = tally(np.array([True, True, False, False, False]), np.array([0.3, 0.1, 0.2, 0.1, 0.0]), np.ones(5))
    figures = evaluate.at_threshold(few, 0.2)
    assert [float(figures[name]) for name in ("alerts_per_100", "sensitivity", "ppv")] == [40.0, 0.5, 0.5]
    assert figures["specificity"] == pytest.approx(2 / 3)
    assert figures["npv"] == pytest.approx(2 / 3)


def test_a_probability_at_the_threshold_is_an_alert() -> None:
    one = tally(np.array([True, False]), np.array([0.1, 0.0]), np.ones(2))
    assert evaluate.at_threshold(one, 0.1)["sensitivity"] == 1.0


def test_without_alerts_there_is_no_predictive_value() -> None:
    ranking = Ranking(np.array([True, False]), np.array([0.1, 0.0]))
    found = evaluate.bootstrap(
        lambda weight: evaluate.at_threshold(ranking.tally(weight), 0.5), PERSON[:2], np.ones(2), seed=1, count=20
    )
    assert found["ppv"] == evaluate.Interval(value=None, low=None, high=None)
    assert found["sensitivity"].value == 0.0
