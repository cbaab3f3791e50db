"""Measure a fitted model on later years: in each pattern of missing data, by group, against one feature alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring import evaluate
from scoring.cohorts import Cohort
from scoring.recipes import Recipe

FEWEST_EVENTS = 20  # below, a group's figures would be noise, and a resample could hold no event at all


def validate(recipe: Recipe, booster: Any, cohort: Cohort, *, seed: int) -> dict[str, Any]:
    probability = predict(recipe, booster, cohort.rows)
    return {
        "validated_on": cohort.summary(),
        "performance": performance(recipe, cohort, probability, seed=seed),
        "patterns": {name: _pattern(recipe, booster, part, seed=seed) for name, part in patterns(recipe, cohort)},
        "by_group": by_group(recipe, cohort, probability, seed=seed),
        f"versus_{recipe.rival.key}_alone": versus_rival(recipe, cohort, probability, seed=seed),
    }


def predict(recipe: Recipe, booster: Any, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    from xgboost import DMatrix

    answers = booster.predict(DMatrix(rows, feature_names=list(recipe.features), nthread=1))
    return np.asarray(answers, dtype=np.float64)


def performance(
    recipe: Recipe, cohort: Cohort, probability: NDArray[np.float64], *, seed: int
) -> dict[str, dict[str, Any]]:
    """Under three weights: each person once, the nation, and the nation as the fasting half of the survey sees it."""
    views = {"unweighted": np.ones(len(cohort)), "weighted": cohort.weight, "subsample": cohort.subsample_weight}
    return {name: _performance(recipe, cohort, probability, weight, seed=seed) for name, weight in views.items()}


def _performance(
    recipe: Recipe, cohort: Cohort, probability: NDArray[np.float64], weight: NDArray[np.float64], *, seed: int
) -> dict[str, Any]:
    seen = weight > 0
    label, chance, weight = cohort.label[seen], probability[seen], weight[seen]
    intercept, slope = evaluate.calibration_line(label, np.log(chance / (1 - chance)), weight)
    measures = {
        "auroc": evaluate.auroc(label, chance),
        "observed_expected": evaluate.observed_expected(label, chance),
        "brier": evaluate.brier(label, chance),
    }
    return {
        **{name: asdict(_bootstrap(recipe, measure, weight, seed=seed)) for name, measure in measures.items()},
        "calibration_intercept": intercept,
        "calibration_slope": slope,
        "at_threshold": asdict(evaluate.at_threshold(label, chance, threshold=recipe.threshold, weight=weight)),
        "n": len(label),
        "events": int(label.sum()),
    }


def _bootstrap(
    recipe: Recipe, measure: evaluate.Measure, weight: NDArray[np.float64], *, seed: int
) -> evaluate.Interval:
    return evaluate.bootstrap(measure, weight, seed=seed, resamples=recipe.resamples)


def patterns(recipe: Recipe, cohort: Cohort) -> Iterator[tuple[str, Cohort]]:
    """Every subset of the groups: the people who have all of them, with everything else hidden."""
    names = sorted(recipe.groups)
    for size in range(len(names) + 1):
        for kept in combinations(names, size):
            yield "+".join(kept), _with_only(recipe, cohort, kept)


def _with_only(recipe: Recipe, cohort: Cohort, kept: tuple[str, ...]) -> Cohort:
    rows = cohort.rows.copy()
    complete = np.ones(len(rows), dtype=np.bool_)
    for name, keys in recipe.groups.items():
        columns = [recipe.features.index(key) for key in keys]
        if name in kept:
            complete &= ~np.isnan(rows[:, columns]).all(axis=1)
        else:
            rows[:, columns] = np.nan
    return cohort.where(complete).with_rows(rows[complete])


def _pattern(recipe: Recipe, booster: Any, cohort: Cohort, *, seed: int) -> dict[str, Any]:
    """Abstain where calibration is off, be it among the people surveyed or weighted to the nation."""
    probability = predict(recipe, booster, cohort.rows)
    once = np.ones(len(cohort))
    area = _bootstrap(recipe, evaluate.auroc(cohort.label, probability), once, seed=seed)
    ratio = evaluate.observed_expected(cohort.label, probability)
    interval = _bootstrap(recipe, ratio, once, seed=seed)
    alerts = evaluate.at_threshold(cohort.label, probability, threshold=recipe.threshold, weight=once)
    low, high = recipe.trusted
    return {
        "auroc": area.value,
        "auroc_low": area.low,
        "auroc_high": area.high,
        "observed_expected": interval.value,
        "observed_expected_low": interval.low,
        "observed_expected_high": interval.high,
        "observed_expected_weighted": ratio(cohort.weight),
        "observed_expected_subsample": ratio(cohort.subsample_weight),
        "at_threshold": asdict(alerts),
        "n": len(cohort),
        "events": int(cohort.label.sum()),
        "abstain": not all(low <= figure <= high for figure in (interval.value, ratio(cohort.weight))),
    }


def by_group(
    recipe: Recipe, cohort: Cohort, probability: NDArray[np.float64], *, seed: int
) -> dict[str, dict[str, dict[str, Any]]]:
    return {
        name: {
            str(value): _group(recipe, cohort.label[column == value], probability[column == value], seed=seed)
            for value in np.unique(column)
        }
        for name, column in cohort.groups.items()
    }


def _group(recipe: Recipe, label: NDArray[np.bool_], probability: NDArray[np.float64], *, seed: int) -> dict[str, Any]:
    counts: dict[str, Any] = {"n": len(label), "events": int(label.sum())}
    if counts["events"] < FEWEST_EVENTS:
        return counts
    once = np.ones(len(label))
    alerts = evaluate.at_threshold(label, probability, threshold=recipe.threshold, weight=once)
    ratio = evaluate.observed_expected(label, probability)
    return counts | {
        "auroc": asdict(_bootstrap(recipe, evaluate.auroc(label, probability), once, seed=seed)),
        "observed_expected": asdict(_bootstrap(recipe, ratio, once, seed=seed)),
        "at_threshold": asdict(alerts),
    }


def versus_rival(
    recipe: Recipe, cohort: Cohort, probability: NDArray[np.float64], *, seed: int
) -> dict[str, dict[str, Any]]:
    """Among people whose rival feature is known, all and in each value of the rival's group."""
    rival = cohort.rows[:, recipe.features.index(recipe.rival.key)]
    known = ~np.isnan(rival)
    column = cohort.groups[recipe.rival.by]
    parts = {"all": known} | {str(value): known & (column == value) for value in np.unique(column)}
    return {
        name: _versus(recipe, cohort.label[part], probability[part], rival[part], seed=seed)
        for name, part in parts.items()
        if cohort.label[part].sum() >= FEWEST_EVENTS
    }


def _versus(
    recipe: Recipe,
    label: NDArray[np.bool_],
    probability: NDArray[np.float64],
    rival: NDArray[np.float64],
    *,
    seed: int,
) -> dict[str, Any]:
    """The difference on the same resamples, and what the rival finds if it may raise as many alerts as we do."""
    once = np.ones(len(label))
    ours, theirs = evaluate.auroc(label, probability), evaluate.auroc(label, rival)
    difference = _bootstrap(recipe, lambda weight: ours(weight) - theirs(weight), once, seed=seed)
    alerts = int((probability >= recipe.threshold).sum())
    cut = float(np.sort(rival)[-max(alerts, 1)])
    return {
        "auroc_model": ours(once),
        "auroc_rival": theirs(once),
        "difference": asdict(difference),
        "beats": difference.low > 0,
        "alerts_per_100": 100 * alerts / len(label),
        "sensitivity_model": float((label & (probability >= recipe.threshold)).sum() / label.sum()),
        "sensitivity_rival": float((label & (rival >= cut)).sum() / label.sum()),
        "rival_cut": cut,
        "rival_alerts_per_100": float(100 * (rival >= cut).mean()),
        "n": len(label),
        "events": int(label.sum()),
    }
