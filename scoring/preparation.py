"""Making rows ready: outliers by limits or fences, missing values by chained equations, by the median, or left missing.

Fitted on training rows only, never on what is measured. Nothing of it runs at the bedside while a recipe leaves rows as
they are (`Preparation()`): XGBoost reads missing values itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.cohorts import Cohort

Numbers = NDArray[np.float64]
Fills = Callable[[Numbers, int], Numbers]  # rows, which draw -> rows

FENCE = 1.5  # interquartile ranges beyond the quartiles; Tukey, "Exploratory Data Analysis", 1977
ROUNDS = 10  # of the chained equations, as many as scikit-learn takes by default
DRAWS = 5  # imputations of each missing value; Rubin, "Multiple Imputation", 1987: 3 to 5 suffice
SIDES = 2  # a column with no more values than these is binary


class Outliers(StrEnum):
    KEEP = "keep"
    LIMITS = "limits"  # beyond the physiological limits that the recipe names: missing
    IQR = "iqr"  # beyond Tukey's fences: missing


class Fill(StrEnum):
    NATIVE = "native"  # left missing
    MEDIAN = "median"
    MICE = "mice"  # multiple imputation by chained equations; van Buuren, J Stat Softw 2011;45(3)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What was learnt from the training rows. Columns stand in the order of the rows that it was fitted on."""

    low: Numbers
    high: Numbers
    fill: Fills
    draws: int  # how many differing answers `apply` has

    def apply(self, rows: Numbers, *, draw: int = 0) -> Numbers:
        """The rows made ready; `draw` counts the imputations, of which there is one where nothing is drawn."""
        return self.fill(np.where(self.outlying(rows), np.nan, rows), draw)

    def outlying(self, rows: Numbers) -> NDArray[np.bool_]:
        """Which values are outliers."""
        return np.asarray((rows < self.low) | (rows > self.high))


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """The switch. `limits` are the physiological ones by feature, in its unit; their source stands where they do."""

    outliers: Outliers = Outliers.KEEP
    fill: Fill = Fill.NATIVE
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.outliers}+{self.fill}"

    def fit(self, cohort: Cohort, *, seed: int) -> Prepared:
        """Learn from the people who are trained on; the same cohort and seed prepare the same way."""
        low, high = self._bounds(cohort)
        kept = np.where((cohort.rows < low) | (cohort.rows > high), np.nan, cohort.rows)
        fill, draws = _FILLS[self.fill](kept, seed)
        return Prepared(low=low, high=high, fill=fill, draws=draws)

    def _bounds(self, cohort: Cohort) -> tuple[Numbers, Numbers]:
        everything = (-np.inf, np.inf)
        if self.outliers == Outliers.IQR:
            bounds = [_fences(column) for column in cohort.rows.T]
        elif self.outliers == Outliers.LIMITS:
            bounds = [self.limits.get(name, everything) for name in cohort.features]
        else:
            bounds = [everything for _ in cohort.features]
        low, high = np.array(bounds, dtype=np.float64).T
        return low, high


def _fences(column: Numbers) -> tuple[float, float]:
    """Everything, where the column is binary or half of it is one value: there a fence would cut off the rest."""
    known = column[~np.isnan(column)]
    if len(np.unique(known)) <= SIDES:
        return -np.inf, np.inf
    low, high = np.percentile(known, [25, 75])
    width = FENCE * (high - low)
    return (float(low - width), float(high + width)) if width else (-np.inf, np.inf)


def _native(_rows: Numbers, _seed: int) -> tuple[Fills, int]:
    return lambda rows, _draw: rows, 1


def _median(rows: Numbers, _seed: int) -> tuple[Fills, int]:
    medians = np.nanmedian(rows, axis=0)
    return lambda rows, _draw: np.where(np.isnan(rows), medians, rows), 1


def _mice(rows: Numbers, seed: int) -> tuple[Fills, int]:
    """Draws from the predictive posterior, kept within what training saw: no BMI below zero, no sex of a half."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    seen: dict[str, Any] = {"min_value": np.nanmin(rows, axis=0), "max_value": np.nanmax(rows, axis=0)}
    chain = IterativeImputer(sample_posterior=True, max_iter=ROUNDS, random_state=seed, **seen).fit(rows)

    def fill(rows: Numbers, draw: int) -> Numbers:
        chain.random_state_ = np.random.RandomState(
            [seed, draw]
        )  # else every call would go on where the last one stopped
        return np.asarray(chain.transform(rows), dtype=np.float64)

    return fill, DRAWS


AS_THEY_ARE = Preparation().name
_FILLS = {Fill.NATIVE: _native, Fill.MEDIAN: _median, Fill.MICE: _mice}
