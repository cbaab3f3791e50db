"""Which preparation serves best: each is trained on some people and measured on others, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scoring.cohorts import Cohort, Numbers
from scoring.evaluate import auroc, brier, observed_expected
from scoring.preparation import Fill, Outliers, Preparation, Prepared

Predict = Callable[[Numbers], Numbers]  # rows -> probabilities
Grow = Callable[[Cohort], Predict]  # people as they are to be learnt from -> what was learnt
Hide = Callable[
    [Numbers, int], Numbers
]  # rows, which copy -> the rows with parts of the chart missing; copy 0 as they are

RESAMPLES = 1000
LEAST = 1e-12  # of a probability, so that its logarithm is finite


def every(limits: Mapping[str, tuple[float, float]]) -> list[Preparation]:
    """All ways to handle outliers with all ways to fill, rows left as they are first."""
    return [Preparation(outliers=outliers, fill=fill, limits=limits) for outliers in Outliers for fill in Fill]


def compare(
    options: Sequence[Preparation], early: Cohort, late: Cohort, *, grow: Grow, hide: Hide, copies: int, seed: int
) -> dict[str, Any]:
    """Figures of each on the later people, as recorded and with parts hidden, and the one to take.

    `loss` is the mean log loss in nats over both views, `worse` its difference to that of the first option, with a 95 %
    interval from resamples of persons. An option is taken instead of the first only if it is surely better.
    """
    hidden = hide(late.rows, copies)
    found, losses = {}, []
    for option in options:
        prepared = option.fit(early, seed=seed)
        predict = grow(_copies(prepared, early, hide=hide, copies=copies))
        views = {"as_recorded": late.rows, "parts_hidden": hidden}
        chance = {name: _pooled(prepared, predict, rows) for name, rows in views.items()}
        losses.append(np.mean([_loss(late, one) for one in chance.values()], axis=0))
        found[option.name] = {name: _figures(late, one) for name, one in chance.items()} | {
            "loss": float(np.average(losses[-1], weights=late.weight)),
            "worse": _difference(late, losses[-1] - losses[0], seed=seed),
            "outliers": _outliers(prepared, early),
        }
    return {"options": found, "taken": _taken(found)}


def _copies(prepared: Prepared, people: Cohort, *, hide: Hide, copies: int) -> Cohort:
    """Everybody `copies` times, each with other parts hidden and another draw, and each for a share of the weight."""
    rows = [prepared.apply(hide(people.rows, copy), draw=copy % prepared.draws) for copy in range(copies)]
    everybody = np.tile(np.arange(len(people)), copies)
    again = people.where(everybody)
    return replace(again, rows=np.vstack(rows), weight=again.weight / copies, repeats=True)


def _pooled(prepared: Prepared, predict: Predict, rows: Numbers) -> Numbers:
    """The mean over all imputations: Rubin's rule for an estimate."""
    answers = [predict(prepared.apply(rows, draw=draw)) for draw in range(prepared.draws)]
    return np.asarray(np.mean(answers, axis=0), dtype=np.float64)


def _loss(people: Cohort, chance: Numbers) -> Numbers:
    right = np.where(people.label, chance, 1 - chance)
    return np.asarray(-np.log(np.maximum(right, LEAST)))


def _figures(people: Cohort, chance: Numbers) -> dict[str, float]:
    return {
        "auroc": float(auroc(people.label, chance)(people.weight)),
        "brier": float(brier(people.label, chance)(people.weight)),
        "observed_expected": float(observed_expected(people.label, chance)(people.weight)),
    }


def _difference(people: Cohort, worse: Numbers, *, seed: int) -> dict[str, float]:
    _, who = np.unique(people.person, return_inverse=True)
    weight, sum_of = np.bincount(who, weights=people.weight), np.bincount(who, weights=people.weight * worse)
    draw = np.random.default_rng(seed)
    drawn = draw.multinomial(len(weight), np.full(len(weight), 1 / len(weight)), size=RESAMPLES)
    low, high = np.percentile((drawn @ sum_of) / (drawn @ weight), [2.5, 97.5])
    return {"value": float(sum_of.sum() / weight.sum()), "low": float(low), "high": float(high)}


def _outliers(prepared: Prepared, people: Cohort) -> dict[str, dict[str, float]]:
    """Of each feature that has some: how many per 100 known values, and how many per 100 of their people have the label."""
    outlying, known = prepared.outlying(people.rows), ~np.isnan(people.rows)
    return {
        name: {
            "per_100": float(100 * outlying[:, place].sum() / known[:, place].sum()),
            "label_per_100": float(100 * people.label[outlying[:, place]].mean()),
        }
        for place, name in enumerate(people.features)
        if outlying[:, place].any()
    }


def _taken(found: Mapping[str, Mapping[str, Any]]) -> str:
    first = next(iter(found))
    better = [name for name, figures in found.items() if figures["worse"]["high"] < 0]
    return min(better, key=lambda name: found[name]["loss"], default=first)
