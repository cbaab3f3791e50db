"""Trials: how many people it takes, and how two arms differ where people come in clusters. Numbers only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from scoring import evaluate

ALPHA, POWER = 0.05, 0.9
# Haybittle and Peto's rule: before the end only a difference that chance brings once in a thousand ends a trial; then the
# last look keeps its 5 %, nearly. Haybittle, Br J Radiol 1971;44:793; Peto et al., Br J Cancer 1976;34:585.
EARLY = 0.001
MOST_LOOKS = 4  # with more the last look would have to be corrected
# With fewer clusters an arm intervals are too narrow even by t: Donner, Klar, Am J Public Health 2004;94:416; Kahan et
# al., Trials 2016;17:438.
FEW_CLUSTERS = 20
FEWEST, RESAMPLES = 20, 400  # with and without the label, below which a ranking says little
# A share of units that chance brings once in a thousand points at an error in the assignment. Fabijan et al., Diagnosing
# sample ratio mismatch in online controlled experiments, KDD 2019.
MISMATCH = 0.001
_normal = NormalDist()
Numbers = NDArray[np.float64]


def size(*, baseline: float, difference: float, share: float, cluster: float = 1.0, icc: float = 0.0) -> int:
    """People of both arms, at 5 % on two sides and a power of 90 %; `share` of them in the other arm.

    Two proportions, without correction for continuity (Fleiss, Levin, Paik: Statistical Methods for Rates and Proportions,
    3rd ed. 2003, chapter 4), times the design effect 1 + (m - 1) icc (Donner, Klar: Design and Analysis of Cluster
    Randomization Trials in Health Research, 2000, chapter 5).
    """
    other = baseline + difference
    spread = baseline * (1 - baseline) / (1 - share) + other * (1 - other) / share
    people = (_normal.inv_cdf(1 - ALPHA / 2) + _normal.inv_cdf(POWER)) ** 2 * spread / difference**2
    return math.ceil(people * (1 + (cluster - 1) * icc))


def size_of_pairs(*, differing: float, difference: float) -> int:
    """People who are each looked at in both ways; `differing`: the share on whom the ways disagree.

    Connor: Sample size for testing differences in proportions for the paired-sample design. Biometrics 1987;43:207.
    """
    wide = _normal.inv_cdf(1 - ALPHA / 2) * math.sqrt(differing)
    return math.ceil(((wide + _normal.inv_cdf(POWER) * math.sqrt(differing - difference**2)) / difference) ** 2)


class Rate(Struct, frozen=True, kw_only=True):
    """Of one arm."""

    people: int
    events: int
    clusters: int

    @property
    def percent(self) -> float | None:
        return 100 * self.events / self.people if self.people else None


class Effect(Struct, frozen=True, kw_only=True):
    """The other arm minus the standing one, as a fraction, with its 95 % interval; None where it cannot be had."""

    standing: Rate
    other: Rate
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    statistic: float | None = None  # the difference over its standard error
    freedom: int = 0
    icc: float | None = None

    @property
    def percent(self) -> tuple[float, float, float] | None:
        known = (self.difference, self.low, self.high)
        return None if None in known else tuple(100 * one for one in known if one is not None)  # type: ignore[return-value]

    @property
    def few(self) -> bool:
        return min(self.standing.clusters, self.other.clusters) < FEW_CLUSTERS

    def beyond(self, chance: float) -> bool:
        """Would chance alone bring such a difference less often than this?"""
        return self.statistic is not None and abs(self.statistic) > t_quantile(1 - chance / 2, self.freedom)


def effect(event: Sequence[bool], other: Sequence[bool], cluster: Sequence[str]) -> Effect:
    """One entry a person: did it happen, in the other arm?, in which cluster. A cluster lies in one arm.

    Each arm's share is a ratio of sums over its clusters, with the variance of that ratio (Rao, Scott: A simple method for
    the analysis of clustered binary data. Biometrics 1992;48:577), which is what GEE with an independent working
    correlation and a sandwich estimates; t with as many degrees of freedom as clusters less two (Donner, Klar 2000).
    """
    arms = [_Arm.of(event, cluster, [one == wanted for one in other]) for wanted in (False, True)]
    standing, new = (arm.rate for arm in arms)
    freedom = standing.clusters + new.clusters - 2
    if min(standing.clusters, new.clusters) < 2:
        return Effect(standing=standing, other=new)
    difference = arms[1].share - arms[0].share
    error = math.sqrt(sum(arm.variance for arm in arms))
    half = t_quantile(1 - ALPHA / 2, freedom) * error
    return Effect(
        standing=standing,
        other=new,
        difference=difference,
        low=max(-1.0, difference - half),
        high=min(1.0, difference + half),
        statistic=difference / error if error else None,
        freedom=freedom,
        icc=_icc(arms),
    )


class _Arm(Struct, frozen=True):
    """Its clusters: how many people, and how many of them with the event."""

    people: Numbers
    events: Numbers

    @classmethod
    def of(cls, event: Sequence[bool], cluster: Sequence[str], here: Sequence[bool]) -> _Arm:
        names = np.array([name for name, inside in zip(cluster, here, strict=True) if inside], dtype=np.str_)
        happened = np.array([one for one, inside in zip(event, here, strict=True) if inside], dtype=np.float64)
        _, at = np.unique(names, return_inverse=True)
        return cls(np.bincount(at).astype(np.float64), np.bincount(at, weights=happened).astype(np.float64))

    @property
    def rate(self) -> Rate:
        return Rate(people=int(self.people.sum()), events=int(self.events.sum()), clusters=len(self.people))

    @property
    def share(self) -> float:
        return float(self.events.sum() / self.people.sum())

    @property
    def variance(self) -> float:
        count = len(self.people)
        left = self.events - self.share * self.people
        return float(count / (count - 1) * (left @ left) / self.people.sum() ** 2)


def _icc(arms: Sequence[_Arm]) -> float | None:
    """By the analysis of variance within arms (Donner, Klar 2000, chapter 6); None where each is a cluster of their own."""
    clusters = sum(len(arm.people) for arm in arms)
    people = sum(float(arm.people.sum()) for arm in arms)
    if people <= clusters:
        return None
    between = sum(float((arm.people * (arm.events / arm.people - arm.share) ** 2).sum()) for arm in arms) / (
        clusters - 2
    )
    within = sum(float((arm.events * (1 - arm.events / arm.people)).sum()) for arm in arms) / (people - clusters)
    usual = (people - sum(float((arm.people**2).sum() / arm.people.sum()) for arm in arms)) / (clusters - 2)
    total = between + (usual - 1) * within
    return (between - within) / total if total else 0.0


def pairs(standing: Sequence[bool], other: Sequence[bool]) -> Effect:
    """The same people in both ways, one entry a person: the mean of the differences and its variance."""
    before, after = np.array(standing, dtype=np.float64), np.array(other, dtype=np.float64)
    count = len(before)
    rates = [Rate(people=count, events=int(one.sum()), clusters=count) for one in (before, after)]
    if count < 2:
        return Effect(standing=rates[0], other=rates[1])
    moved = after - before
    difference, error = float(moved.mean()), float(moved.std(ddof=1) / math.sqrt(count))
    half = t_quantile(1 - ALPHA / 2, count - 1) * error
    return Effect(
        standing=rates[0],
        other=rates[1],
        difference=difference,
        low=difference - half,
        high=difference + half,
        statistic=difference / error if error else None,
        freedom=count - 1,
    )


def mismatch(standing: int, other: int, *, share: float) -> bool:
    """Are so many units in each arm more than chance can explain?"""
    units = standing + other
    if not units:
        return False
    away = abs(other - share * units) / math.sqrt(units * share * (1 - share))
    return 2 * (1 - _normal.cdf(away)) < MISMATCH


def t_quantile(chance: float, freedom: int) -> float:
    """Of Student's t, by the expansion in Abramowitz and Stegun 26.7.5; exact for one and two degrees of freedom."""
    if freedom == 1:
        return math.tan(math.pi * (chance - 0.5))
    if freedom == 2:
        return (2 * chance - 1) / math.sqrt(2 * chance * (1 - chance))
    x, v = _normal.inv_cdf(chance), float(freedom)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + sum(term / v**power for power, term in enumerate(terms, start=1))


class Twofold(Struct, frozen=True, kw_only=True):
    """One figure of both ways on the same people, and the difference, each as value, low, high."""

    standing: tuple[float, float, float]
    other: tuple[float, float, float]
    difference: tuple[float, float, float]

    @property
    def columns(self) -> tuple[tuple[float, float, float], ...]:
        return self.standing, self.other, self.difference


def twofold(label: Sequence[bool], standing: Sequence[float], other: Sequence[float]) -> dict[str, Twofold]:
    """AUROC, observed/expected and Brier score, by a bootstrap that keeps each person's two probabilities together.

    {} where there are too few with or without the label.
    """
    truth = np.array(label, dtype=np.bool_)
    if min(truth.sum(), (~truth).sum()) < FEWEST:
        return {}
    ways = [np.array(one, dtype=np.float64) for one in (standing, other)]
    kinds = {"AUROC": evaluate.auroc, "Observed/expected": evaluate.observed_expected, "Brier score": evaluate.brier}
    asked = {name: [kind(truth, way) for way in ways] for name, kind in kinds.items()}

    def measures(weight: Numbers) -> dict[str, Numbers]:
        found = {name: [measure(weight) for measure in both] for name, both in asked.items()}
        return {
            f"{name} {part}": figure
            for name, (before, after) in found.items()
            for part, figure in (("standing", before), ("other", after), ("difference", after - before))
        }

    person, weight = np.arange(len(truth)).astype(np.str_), np.ones(len(truth))
    drawn = evaluate.bootstrap(measures, person, weight, seed=1, count=RESAMPLES)
    return {
        name: Twofold(**{part: _three(drawn[f"{name} {part}"]) for part in ("standing", "other", "difference")})
        for name in kinds
    }


def _three(found: evaluate.Interval) -> tuple[float, float, float]:
    return found.value or 0.0, found.low or 0.0, found.high or 0.0
