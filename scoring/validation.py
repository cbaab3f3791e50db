"""Measure a model on people it never saw: as a whole, with parts of the chart hidden, against one feature alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring import curves, evaluate
from scoring.cohorts import Cohort
from scoring.evaluate import Interval, Measures, Numbers, Ranking
from scoring.groups import FEWEST_EVENTS, by_group, gaps
from scoring.progress import steps
from scoring.recipes import Recipe, Rival
from scoring.shelf import Model

SPECIFICITIES, SENSITIVITIES = (0.8, 0.9, 0.95), (0.7, 0.8, 0.9)
PATTERN = (
    *("auroc", "auroc_low", "auroc_high"),
    *("observed_expected", "observed_expected_low", "observed_expected_high"),
    *("observed_expected_weighted", "observed_expected_subsample"),
)
LINE = ("calibration_intercept", "calibration_slope")


@dataclass(frozen=True, kw_only=True)
class Exam:
    """What is measured, and how surely."""

    model: Model
    threshold: float
    seed: int
    resamples: int

    def bootstrap(self, people: Cohort, measures: Measures, weight: Numbers | None = None) -> dict[str, Interval]:
        """Persons drawn anew; each counts once, or as much as `weight` says."""
        once = np.ones(len(people)) if weight is None else weight
        return evaluate.bootstrap(measures, people.person, once, seed=self.seed, count=self.resamples)


def validate(recipe: Recipe, model: Model, cohort: Cohort, *, threshold: float, seed: int) -> dict[str, Any]:
    """Facts about the model on these people, whose rows have its features in its order."""
    exam = Exam(model=model, threshold=threshold, seed=seed, resamples=recipe.resamples)
    probability = model.probabilities(cohort.rows)
    groups = by_group(cohort, probability, threshold=threshold, bootstrap=exam.bootstrap)
    versus = {f"versus_{recipe.rival.key}_alone": versus_rival(exam, recipe.rival, cohort)} if recipe.rival else {}
    return {
        "validated_on": cohort.summary(),
        "performance": performance(exam, cohort, probability),
        "curves": curves.curves(cohort.label, probability, cohort.person, seed=seed, resamples=recipe.resamples),
        "patterns": {
            name: _pattern(exam, part, trusted=recipe.trusted)
            for name, part in steps(list(patterns(recipe, cohort)), doing="Patterns of missing data")
        },
        "by_group": groups,
        "gaps": gaps(groups),
        **versus,
    }


def performance(exam: Exam, cohort: Cohort, probability: Numbers) -> dict[str, dict[str, Any]]:
    """Each person once; and where a survey has weights, as the population, and as its subsample sees the population."""
    views = {"weighted": cohort.weight, "subsample": cohort.subsample_weight}
    told = {name: view for name, view in views.items() if (view != 1).any() and _both(cohort.label[view > 0])}
    weights = {"unweighted": np.ones(len(cohort)), **told}
    return {name: _performance(exam, cohort, probability, weight) for name, weight in weights.items()}


def _both(label: NDArray[np.bool_]) -> bool:
    """Are there people with and without it?"""
    return bool(label.any() and not label.all())


def _performance(exam: Exam, cohort: Cohort, probability: Numbers, weight: Numbers) -> dict[str, Any]:
    seen = weight > 0
    people, chance = cohort.where(seen), probability[seen]
    measures = figures(people.label, chance, threshold=exam.threshold)
    found = {name: asdict(figure) for name, figure in exam.bootstrap(people, measures, weight[seen]).items()}
    return {**_nested(found), "n": len(people), "events": int(people.label.sum())}


def figures(label: NDArray[np.bool_], probability: Numbers, *, threshold: float) -> Measures:
    """All that is said of probabilities; a name with a slash stands for a table inside."""
    ranking, line = Ranking(label, probability), evaluate.calibration_line(label, evaluate.log_odds(probability))
    ratio, error = evaluate.observed_expected(label, probability), evaluate.brier(label, probability)

    def measures(weight: Numbers) -> dict[str, Numbers]:
        tally = ranking.tally(weight)
        specific = {
            f"sensitivity_at_specificity/{at:.2f}": evaluate.sensitivity_at(tally, specificity=at)
            for at in SPECIFICITIES
        }
        sensitive = {
            f"specificity_at_sensitivity/{at:.2f}": evaluate.specificity_at(tally, sensitivity=at)
            for at in SENSITIVITIES
        }
        alerts = evaluate.at_threshold(tally, threshold)
        return {
            "auroc": evaluate.area_under_roc(tally),
            "average_precision": evaluate.average_precision(tally),
            "observed_expected": ratio(weight),
            "brier": error(weight),
            "net_benefit": evaluate.net_benefit(tally, threshold),
            **dict(zip(LINE, np.moveaxis(line(weight), -1, 0), strict=True)),
            **specific,
            **sensitive,
            **{f"at_threshold/{name}": value for name, value in alerts.items()},
        }

    return measures


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        table, _, key = name.rpartition("/")
        (nested.setdefault(table, {}) if table else nested)[key] = value
    return nested


# --- With parts of the chart hidden ------------------------------------------------------------------------------
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


def _pattern(exam: Exam, cohort: Cohort, *, trusted: tuple[float, float]) -> dict[str, Any]:
    """Abstain where calibration is off, be it among the people at hand or weighted to the population; or unknown."""
    counts = {"n": len(cohort), "events": int(cohort.label.sum())}
    if not _both(cohort.label):
        return {**dict.fromkeys(PATTERN), "at_threshold": None, **counts, "abstain": True}
    probability = exam.model.probabilities(cohort.rows)
    ranking, ratio = Ranking(cohort.label, probability), evaluate.observed_expected(cohort.label, probability)

    def measures(weight: Numbers) -> dict[str, Numbers]:
        return {"auroc": evaluate.area_under_roc(ranking.tally(weight)), "observed_expected": ratio(weight)}

    area, level = exam.bootstrap(cohort, measures).values()
    weighted = [float(ratio(weight)) for weight in (cohort.weight, cohort.subsample_weight)]
    figures = (area.value, area.low, area.high, level.value, level.low, level.high, *weighted)
    low, high = trusted
    return {
        **{
            name: None if figure is None or np.isnan(figure) else figure
            for name, figure in zip(PATTERN, figures, strict=True)
        },
        "at_threshold": _alerts(ranking.tally(np.ones(len(cohort))), exam.threshold),
        **counts,
        "abstain": not all(low <= figure <= high for figure in (level.value or 0.0, weighted[0])),
    }


def _alerts(tally: evaluate.Tally, threshold: float) -> dict[str, float | None]:
    found = evaluate.at_threshold(tally, threshold)
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


# --- Against one feature alone -----------------------------------------------------------------------------------
def versus_rival(exam: Exam, rival: Rival, cohort: Cohort) -> dict[str, dict[str, Any]]:
    """Among people whose rival feature is known, all and in each value of the rival's group."""
    known = ~np.isnan(cohort.rows[:, cohort.features.index(rival.key)])
    column = cohort.groups.get(rival.by, np.array([], dtype=np.str_))
    parts = {"all": known} | {str(value): known & (column == value) for value in np.unique(column)}
    return {
        name: _versus(exam, cohort.where(part), key=rival.key)
        for name, part in parts.items()
        if cohort.label[part].sum() >= FEWEST_EVENTS
    }


def _versus(exam: Exam, cohort: Cohort, *, key: str) -> dict[str, Any]:
    """The difference on the same resamples, and what the rival finds if it may raise as many alerts as we do."""
    label, rival = cohort.label, cohort.rows[:, cohort.features.index(key)]
    probability = exam.model.probabilities(cohort.rows)
    ours, theirs = evaluate.auroc(label, probability), evaluate.auroc(label, rival)
    difference = exam.bootstrap(cohort, lambda weight: {"": ours(weight) - theirs(weight)})[""]
    alerts = int((probability >= exam.threshold).sum())
    cut = float(np.sort(rival)[-max(alerts, 1)])
    once = np.ones(len(label))
    return {
        "auroc_model": float(ours(once)),
        "auroc_rival": float(theirs(once)),
        "difference": asdict(difference),
        "beats": difference.low is not None and difference.low > 0,
        "alerts_per_100": 100 * alerts / len(label),
        "sensitivity_model": float((label & (probability >= exam.threshold)).sum() / label.sum()),
        "sensitivity_rival": float((label & (rival >= cut)).sum() / label.sum()),
        "rival_cut": cut,
        "rival_alerts_per_100": float(100 * (rival >= cut).mean()),
        "n": len(label),
        "events": int(label.sum()),
    }
