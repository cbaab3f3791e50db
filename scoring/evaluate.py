"""How good probabilities are: discrimination, calibration, what a threshold does, and how sure we are of each.

Every measure takes weights in their last axis, one a row of people, and answers for all resamples at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Labels = NDArray[np.bool_]
Measure = Callable[[Numbers], Numbers]  # weights (..., people) -> figures (...)
Measures = Callable[[Numbers], Mapping[str, Numbers]]

AT_ONCE = 20
NEWTON_STEPS = 50
LONGEST_STEP = 2.0  # log-odds; a longer one overshoots
NEAR = 1e-5  # a last step so short leaves an error of its square
EQUAL = 1e-12  # sums of weights that differ by less differ by rounding


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A figure and its 95 % interval; None where there is no such figure, as a PPV without alerts."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The ill and the well at each distinct score, ascending: arrays (..., scores) of weights."""

    score: Numbers
    ill: Numbers
    well: Numbers

    @property
    def found(self) -> Numbers:
        """The share of the ill at or above each score, then 0 for an alert on nobody: sensitivities, falling."""
        return _at_or_above(self.ill)

    @property
    def disturbed(self) -> Numbers:
        """The share of the well at or above each score, then 0: 1 - specificity, falling."""
        return _at_or_above(self.well)


def _at_or_above(weight: Numbers) -> Numbers:
    nobody = np.zeros((*weight.shape[:-1], 1))
    above = np.cumsum(weight[..., ::-1], axis=-1)[..., ::-1]
    return _ratio(np.concatenate([above, nobody], axis=-1), weight.sum(axis=-1, keepdims=True))


class Ranking:
    """People sorted once by their score, so that any number of resamples are tallied cheaply; ties share a place."""

    def __init__(self, label: Labels, score: Numbers) -> None:
        self._order = np.argsort(score, kind="stable")
        self._ill = label[self._order]
        self._score, self._starts = np.unique(score[self._order], return_index=True)

    def tally(self, weight: Numbers) -> Tally:
        ranked = weight[..., self._order]
        ill, well = (np.add.reduceat(ranked * part, self._starts, axis=-1) for part in (self._ill, ~self._ill))
        return Tally(score=self._score, ill=ill, well=well)


def auroc(label: Labels, score: Numbers) -> Measure:
    ranking = Ranking(label, score)
    return lambda weight: area_under_roc(ranking.tally(weight))


def area_under_roc(tally: Tally) -> Numbers:
    """The chance that someone ill scores higher than someone well, ties counted half."""
    below = np.cumsum(tally.well, axis=-1) - tally.well / 2
    both = tally.ill.sum(axis=-1) * tally.well.sum(axis=-1)
    return _ratio((tally.ill * below).sum(axis=-1), both)


def average_precision(tally: Tally) -> Numbers:
    """Area under precision and recall as scikit-learn sums it: the precision at each score, weighted by recall won."""
    ill = np.cumsum(tally.ill[..., ::-1], axis=-1)
    alerts = ill + np.cumsum(tally.well[..., ::-1], axis=-1)
    precision = _ratio(ill, alerts)
    return _ratio((tally.ill[..., ::-1] * np.nan_to_num(precision)).sum(axis=-1), tally.ill.sum(axis=-1))


def sensitivity_at(tally: Tally, *, specificity: float) -> Numbers:
    """The highest sensitivity of any threshold with at least that specificity."""
    return np.asarray(np.where(1 - tally.disturbed >= specificity - EQUAL, tally.found, 0.0).max(axis=-1))


def specificity_at(tally: Tally, *, sensitivity: float) -> Numbers:
    """The highest specificity of any threshold with at least that sensitivity."""
    found = tally.found
    best = np.where(found >= sensitivity - EQUAL, 1 - tally.disturbed, 0.0).max(axis=-1)
    return np.where(np.isnan(found[..., 0]), np.nan, best)  # where a resample has nobody ill


def at_threshold(tally: Tally, threshold: float) -> dict[str, Numbers]:
    """What an alert at and above the threshold does."""
    first = int(np.searchsorted(tally.score, threshold, side="left"))
    ill, well = tally.ill[..., first:].sum(axis=-1), tally.well[..., first:].sum(axis=-1)
    all_ill, all_well = tally.ill.sum(axis=-1), tally.well.sum(axis=-1)
    return {
        "alerts_per_100": 100 * _ratio(ill + well, all_ill + all_well),
        "sensitivity": _ratio(ill, all_ill),
        "specificity": 1 - _ratio(well, all_well),
        "ppv": _ratio(ill, ill + well),
        "npv": _ratio(all_well - well, all_ill + all_well - ill - well),
        "f1": _ratio(2 * ill, all_ill + ill + well),
    }


def net_benefit(tally: Tally, threshold: float, *, worth: float | None = None) -> Numbers:
    """Cases found per person, less the needless alerts at their price: Vickers & Elkin, Med Decis Making 2006;26:565.

    `worth` is the probability at which a test is worth its trouble; by default the threshold itself.
    """
    pt = threshold if worth is None else worth
    first = int(np.searchsorted(tally.score, threshold, side="left"))
    ill, well = tally.ill[..., first:].sum(axis=-1), tally.well[..., first:].sum(axis=-1)
    return _ratio(ill - well * pt / (1 - pt), tally.ill.sum(axis=-1) + tally.well.sum(axis=-1))


def net_benefit_of_alerting_on_all(tally: Tally, threshold: float) -> Numbers:
    ill, well = tally.ill.sum(axis=-1), tally.well.sum(axis=-1)
    return _ratio(ill - well * threshold / (1 - threshold), ill + well)


def _ratio(above: Numbers, below: Numbers) -> Numbers:
    """nan where nobody is counted."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.divide(above, below))


def observed_expected(label: Labels, probability: Numbers) -> Measure:
    """Cases for each case that the probabilities promised; above 1 they say too little."""
    return lambda weight: _ratio(weight @ label, weight @ probability)


def brier(label: Labels, probability: Numbers) -> Measure:
    error = (probability - label) ** 2
    return lambda weight: _ratio(weight @ error, weight.sum(axis=-1))


def calibration_line(label: Labels, margin: Numbers) -> Measure:
    """Intercept and slope (..., 2) of the logistic regression of the truth on our log-odds; perfect is 0 and 1.

    Newton's method on all resamples at once, from the line of everybody. nan where the classes are separate or alone,
    so that no line is best.
    """
    share = np.clip(label.mean(), 1e-6, 1 - 1e-6)
    start = _newton(np.array([log_odds(share), 0.0]), label, margin, np.ones(len(label)))

    def measure(weight: Numbers) -> Numbers:
        lines = np.broadcast_to(np.nan_to_num(start, nan=1.0), (*weight.shape[:-1], 2))
        return _newton(lines, label, margin, weight)

    return measure


def _newton(line: Numbers, label: Labels, margin: Numbers, weight: Numbers) -> Numbers:
    step = np.full(line.shape, np.inf)
    for _ in range(NEWTON_STEPS):
        step = _newton_step(line, label, margin, weight)
        line = line + step
        if not np.abs(np.nan_to_num(step)).max() > NEAR:
            break
    return np.where(np.abs(step).max(axis=-1, keepdims=True) <= NEAR, line, np.nan)


def _newton_step(line: Numbers, label: Labels, x: Numbers, weight: Numbers) -> Numbers:
    chance = sigmoid(line[..., :1] + line[..., 1:] * x)
    rest, spread = weight * (label - chance), weight * chance * (1 - chance)
    g0, g1 = rest.sum(axis=-1), rest @ x
    h00, h01, h11 = spread.sum(axis=-1), spread @ x, spread @ (x * x)
    determinant = h00 * h11 - h01 * h01
    step = np.stack([_ratio(h11 * g0 - h01 * g1, determinant), _ratio(h00 * g1 - h01 * g0, determinant)], axis=-1)
    return np.asarray(np.clip(step, -LONGEST_STEP, LONGEST_STEP))


def sigmoid(margin: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-np.clip(margin, -700, 700))))


def log_odds(probability: Numbers) -> Numbers:
    return np.asarray(np.log(probability / (1 - probability)))


def resamples(person: NDArray[np.str_], weight: Numbers, *, seed: int, count: int) -> Iterator[Numbers]:
    """Weights (some, people) of persons drawn with replacement; all rows of one person come and go together."""
    _, who = np.unique(person, return_inverse=True)
    people = int(who.max()) + 1
    draw = np.random.default_rng(seed)
    for start in range(0, count, AT_ONCE):
        some = min(AT_ONCE, count - start)
        drawn = draw.integers(0, people, size=(some, people)) + people * np.arange(some)[:, np.newaxis]
        times = np.bincount(drawn.ravel(), minlength=some * people).reshape(some, people)
        yield times[:, who] * weight


def bootstrap(
    measures: Measures, person: NDArray[np.str_], weight: Numbers, *, seed: int, count: int
) -> dict[str, Interval]:
    """Each figure with the percentiles between which 95 % of the resamples' figures lie."""
    values = measures(weight)
    some = [measures(resample) for resample in resamples(person, weight, seed=seed, count=count)]
    return {name: _interval(values[name], np.concatenate([each[name] for each in some])) for name in values}


def _interval(value: Numbers, figures: Numbers) -> Interval:
    known = figures[np.isfinite(figures)]
    if not np.isfinite(value) or not len(known):
        return Interval(value=None, low=None, high=None)
    low, high = np.percentile(known, [2.5, 97.5])
    return Interval(value=float(value), low=float(low), high=float(high))
