"""Groups are measured as fairlearn measures them, and small numbers are not shown, nor what gives them away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)

from scoring import evaluate, groups
from scoring.cohorts import Cohort
from scoring.evaluate import Interval, Measures

THRESHOLD = 0.5
PROBABILITY = np.random.default_rng(2).random(1200)


def bootstrap(part: Cohort, measures: Measures) -> dict[str, Interval]:
    return evaluate.bootstrap(measures, part.person, np.ones(len(part)), seed=1, count=20)


def measured(cohort: Cohort) -> dict[str, dict[str, groups.Figures]]:
    return groups.by_group(cohort, PROBABILITY, threshold=THRESHOLD, bootstrap=bootstrap)


def test_each_group_has_the_rates_of_fairlearn(cohort: Cohort) -> None:
    rates = {"alerts": selection_rate, "sensitivity": true_positive_rate, "false": false_positive_rate}
    frame = MetricFrame(
        metrics=rates,
        y_true=cohort.label,
        y_pred=PROBABILITY >= THRESHOLD,
        sensitive_features=cohort.groups["town"],
    ).by_group
    for town, figures in measured(cohort)["town"].items():
        ours = {name: figure["value"] for name, figure in figures["at_threshold"].items()}
        assert ours["alerts_per_100"] == pytest.approx(100 * frame.alerts[town])
        assert ours["sensitivity"] == pytest.approx(frame.sensitivity[town])
        assert ours["specificity"] == pytest.approx(1 - frame.false[town])


def test_the_gaps_are_those_of_fairlearn(cohort: Cohort) -> None:
    given = {"sensitive_features": cohort.groups["town"]}
    alert = PROBABILITY >= THRESHOLD
    assert groups.gaps(measured(cohort))["town"] == {
        "demographic_parity_difference": pytest.approx(demographic_parity_difference(cohort.label, alert, **given)),
        "equal_opportunity_difference": pytest.approx(equal_opportunity_difference(cohort.label, alert, **given)),
        "equalized_odds_difference": pytest.approx(equalized_odds_difference(cohort.label, alert, **given)),
    }


def test_a_group_with_hardly_a_case_gets_counts_and_no_figures(cohort: Cohort) -> None:
    village = np.where(np.arange(1200) < 30, "village", "city")
    label = np.where(np.arange(1200) < 30, np.arange(1200) < 12, cohort.label)
    towns = measured(replace(cohort, label=label, groups={"town": village}))["town"]
    assert towns["village"] == {"n": 30, "events": 12}
    assert "auroc" in towns["city"]


def test_a_handful_of_people_is_not_shown(cohort: Cohort) -> None:
    island = np.where(np.arange(1200) < 8, "island", np.where(np.arange(1200) < 500, "east", "west"))
    towns = measured(replace(cohort, groups={"town": island}))["town"]
    assert towns["island"] == {"n": None, "events": None}
    assert towns["west"]["n"] == 700


def test_what_subtraction_would_give_away_is_not_shown_either() -> None:
    assert groups.shown([500, 4, 90, 300]) == [500, None, None, 300]
    assert groups.shown([500, 4, 6, 300]) == [500, None, None, 300]
    assert groups.shown([500, 0, 11]) == [500, 0, 11]
