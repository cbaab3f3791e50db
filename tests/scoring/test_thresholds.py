"""A threshold is what its rule says, on the people it was chosen on."""

from __future__ import annotations

import numpy as np
import pytest

from scoring import evaluate, thresholds
from scoring.evaluate import Ranking
from scoring.thresholds import AlertsPer100, BestF1, NetBenefit, Sensitivity

DRAW = np.random.default_rng(9)
CHANCE = DRAW.beta(0.5, 4, 5000)
LABEL = DRAW.random(5000) < CHANCE
TALLY = Ranking(LABEL, CHANCE).tally(np.ones(5000))


def figures(threshold: float) -> dict[str, float]:
    return {name: float(value) for name, value in evaluate.at_threshold(TALLY, threshold).items()}


@pytest.mark.parametrize("most", [1, 5, 20])
def test_alerts_stay_within_their_number_and_use_it(most: float) -> None:
    chosen = AlertsPer100(at_most=most).choose(TALLY)
    assert figures(chosen)["alerts_per_100"] <= most < figures(chosen - 0.005)["alerts_per_100"]


@pytest.mark.parametrize("least", [0.5, 0.8, 0.95])
def test_the_asked_share_of_cases_is_found_and_hardly_more(least: float) -> None:
    chosen = Sensitivity(at_least=least).choose(TALLY)
    assert figures(chosen + 0.005)["sensitivity"] < least <= figures(chosen)["sensitivity"]


def test_with_calibrated_probabilities_the_price_of_an_alert_is_the_threshold_that_pays_best() -> None:
    chosen = NetBenefit(needless_per_case=9).choose(TALLY)
    assert chosen == pytest.approx(0.1)
    best = max(evaluate.net_benefit(TALLY, at, worth=0.1) for at in np.linspace(0.01, 0.9, 90))
    assert evaluate.net_benefit(TALLY, chosen) == pytest.approx(float(best), rel=0.03)


def test_no_threshold_has_a_higher_f1_than_the_one_for_f1() -> None:
    best = max(figures(at)["f1"] for at in np.linspace(0.005, 0.995, 199))
    assert figures(BestF1().choose(TALLY))["f1"] >= best - 0.005


def test_what_the_other_rules_would_have_set_stands_beside_the_one_that_is_shipped() -> None:
    once = np.ones(5000)
    found = thresholds.choose(Sensitivity(at_least=0.7), label=LABEL, probability=CHANCE, weight=once)
    assert [row["shipped"] for row in found["thresholds"]] == [True, False, False, False, False]
    assert found["thresholds"][0]["threshold"] == found["threshold"]
    assert "the highest F1" in [row["rule"] for row in found["thresholds"]]
