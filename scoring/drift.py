"""Drift: do the rows that a model is asked about still look like those that it learnt from? A missing value counts.

A column becomes a compact reference at training (`reference`), small enough for the model's facts; later rows are
compared with it (`compare`). PSI has a bin for missing values; KS looks at the known ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Reference = Mapping[str, Mapping[str, Any]]  # column -> what `reference` found
Level = Literal["", "watch", "alarm"]

PROBABILITY = "probability"  # the column of the model's answers, beside those of its features
# PSI below 0.1 is read as no change, from 0.25 on as a shift. Siddiqi, Credit Risk Scorecards (2006), chapter 10.
WATCH, ALARM = 0.1, 0.25
FEWEST = 30  # rows, below which a share of a tenth may well be nobody
_STEP = 0.05  # between the quantiles that are kept
_BIN = 0.0999  # least share of a bin, a tenth but for rounding; a value more frequent than that is a bin of its own
_NO_CHANCE = 1e-6  # a run of missing values that happens by chance this seldom is none
_OFTEN_ENOUGH = 0.25  # a column counts as missing at least this often, so that an alarm takes ten in a row
_NOTHING_TO_LOSE = 0.99
_CERTAIN = 2.326  # the normal quantile of 99 %


def reference(rows: Numbers, features: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Of each column: how many rows, which share is missing, and the distribution of the known values at 5 % steps."""
    return {name: _column(rows[:, at]) for at, name in enumerate(features)}


def _column(values: Numbers) -> dict[str, Any]:
    known = np.sort(values[~np.isnan(values)])
    steps = np.arange(_STEP, 1 + _STEP / 2, _STEP).clip(max=1)
    points = np.unique(np.quantile(known, steps, method="inverted_cdf")) if len(known) else known
    below = np.searchsorted(known, points, side="right") / max(len(known), 1)
    missing = 1 - len(known) / len(values) if len(values) else 1.0
    return {"n": len(values), "missing": missing, "values": points.tolist(), "at_or_below": below.tolist()}


@dataclass(frozen=True, kw_only=True)
class Shift:
    """One column, then and now. Shares are fractions; a figure is None where there is too little to say."""

    feature: str
    n: int
    missing: float | None
    missing_before: float
    psi: float | None
    psi_by_chance: float | None  # 99 of 100 samples of this size stay below it if nothing has changed
    ks: float | None  # the largest distance between the two distributions of known values
    ks_p: float | None
    run: int  # so many of the newest rows lack it, without a break
    level: Level

    @property
    def empty(self) -> bool:
        """Nobody has it any more, and that is no chance."""
        often = max(self.missing_before, _OFTEN_ENOUGH)
        return often < _NOTHING_TO_LOSE and self.run * math.log(often) < math.log(_NO_CHANCE)


def compare(rows: Numbers, features: Sequence[str], before: Reference) -> list[Shift]:
    """Rows newest first, one a person. Columns that the reference does not know are left out."""
    return [_shift(name, rows[:, at], before[name]) for at, name in enumerate(features) if name in before]


def _shift(name: str, values: Numbers, before: Mapping[str, Any]) -> Shift:
    unknown = np.isnan(values)
    enough = len(values) >= FEWEST and before["n"] >= FEWEST
    psi, chance = _psi(values, before) if enough else (None, None)
    distance, p = _ks(values[~unknown], before) if enough else (None, None)
    shift = Shift(
        feature=name,
        n=len(values),
        missing=float(unknown.mean()) if len(values) else None,
        missing_before=before["missing"],
        psi=psi,
        psi_by_chance=chance,
        ks=distance,
        ks_p=p,
        run=len(values) if unknown.all() else int(np.argmin(unknown)),
        level=_level(psi, chance),
    )
    return replace(shift, level="alarm") if shift.empty else shift


def _level(psi: float | None, chance: float | None) -> Level:
    if psi is None or chance is None or psi < max(WATCH, chance):
        return ""
    return "alarm" if psi >= ALARM else "watch"


def _psi(values: Numbers, before: Mapping[str, Any]) -> tuple[float, float]:
    """The population stability index, half a row added to each bin so that none is empty; and what chance would give.

    Without change PSI is about (1/n + 1/m) chi2 with one degree of freedom less than there are bins. Yurdakul,
    Statistical properties of population stability index (2018), theorem 3.
    """
    cuts, shares = _bins(before)
    known = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(cuts, known, side="left"), minlength=len(cuts) + 1)
    now = _smooth(np.append(counts, len(values) - len(known)), len(values))
    then = _smooth(shares * before["n"], before["n"])
    chance = _chi2_99(len(then) - 1) * (1 / len(values) + 1 / before["n"])
    return float(((now - then) * np.log(now / then)).sum()), chance


def _bins(before: Mapping[str, Any]) -> tuple[Numbers, Numbers]:
    """Upper ends of all bins but the last, and the share that each bin had; the one after the last is "missing"."""
    cuts: list[float] = []
    ends: list[float] = [0.0]
    for value, end in zip(before["values"][:-1], before["at_or_below"][:-1], strict=True):
        if end - ends[-1] >= _BIN:
            cuts.append(value)
            ends.append(end)
    known = np.diff([*ends, 1.0]) * (1 - before["missing"])
    return np.array(cuts), np.append(known, before["missing"])


def _smooth(counts: Numbers | NDArray[np.intp], n: int) -> Numbers:
    return np.asarray((counts + 0.5) / (n + 0.5 * len(counts)), dtype=np.float64)


def _chi2_99(degrees: int) -> float:
    """The 99 % quantile of chi-squared. Wilson and Hilferty, PNAS 17:684 (1931)."""
    part = 2 / (9 * degrees)
    return float(degrees * (1 - part + _CERTAIN * math.sqrt(part)) ** 3)


def _ks(known: Numbers, before: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Kolmogorov and Smirnov's distance, read at the quantiles that were kept, and its p-value for large samples."""
    there_before = before["n"] * (1 - before["missing"])
    if not len(known) or there_before < 1:
        return None, None
    now = np.searchsorted(np.sort(known), before["values"], side="right") / len(known)
    distance = float(np.abs(now - np.array(before["at_or_below"])).max())
    size = len(known) * there_before / (len(known) + there_before)
    return distance, _kolmogorov(distance * math.sqrt(size))


def _kolmogorov(distance: float) -> float:
    """How often chance alone leads at least this far: 2 * sum of (-1)^(k-1) exp(-2 k^2 d^2)."""
    if distance < 0.2:  # the series converges slowly there, and its sum is 1 to ten digits
        return 1.0
    terms = (math.copysign(1, -((-1) ** k)) * math.exp(-2 * k * k * distance * distance) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * math.fsum(terms)))
