"""How good probabilities are: discrimination, calibration, what a threshold does, and how sure we are of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Labels = NDArray[np.bool_]
Measure = Callable[[Numbers], float]  # weights -> figure


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class AtThreshold:
    """What an alert at and above the threshold would do to 100 people."""

    alerts_per_100: float
    sensitivity: float
    specificity: float
    ppv: float | None  # None where nobody is alerted on


def auroc(label: Labels, score: Numbers) -> Measure:
    """Area under the ROC curve, ties counted half; sorts once, so that resampling is cheap."""
    _, place = np.unique(score, return_inverse=True)
    size = int(place.max()) + 1

    def measure(weight: Numbers) -> float:
        ill = np.bincount(place, weights=weight * label, minlength=size)
        well = np.bincount(place, weights=weight * ~label, minlength=size)
        return float((ill * (np.cumsum(well) - well / 2)).sum() / (ill.sum() * well.sum()))

    return measure


def observed_expected(label: Labels, probability: Numbers) -> Measure:
    return lambda weight: float((weight * label).sum() / (weight * probability).sum())


def brier(label: Labels, probability: Numbers) -> Measure:
    return lambda weight: float(np.average((probability - label) ** 2, weights=weight))


def bootstrap(measure: Measure, weight: Numbers, *, seed: int, resamples: int) -> Interval:
    """Persons drawn with replacement; the percentiles between which 95 % of the figures lie."""
    draw = np.random.default_rng(seed)
    people = np.full(len(weight), 1 / len(weight))
    figures = [measure(draw.multinomial(len(weight), people) * weight) for _ in range(resamples)]
    low, high = np.percentile(figures, [2.5, 97.5])
    return Interval(value=measure(weight), low=float(low), high=float(high))


def calibration_line(label: Labels, margin: Numbers, weight: Numbers) -> tuple[float, float]:
    """Intercept and slope of the logistic regression of the truth on our log-odds; perfect is 0 and 1."""
    from sklearn.linear_model import LogisticRegression

    line = LogisticRegression(C=1e6).fit(margin.reshape(-1, 1), label, sample_weight=weight)
    return float(line.intercept_[0]), float(line.coef_[0, 0])


def at_threshold(label: Labels, probability: Numbers, *, threshold: float, weight: Numbers) -> AtThreshold:
    alert = probability >= threshold
    found = (weight * (alert & label)).sum()
    return AtThreshold(
        alerts_per_100=float(100 * np.average(alert, weights=weight)),
        sensitivity=float(found / (weight * label).sum()),
        specificity=float((weight * (~alert & ~label)).sum() / (weight * ~label).sum()),
        ppv=float(found / (weight * alert).sum()) if alert.any() else None,
    )
