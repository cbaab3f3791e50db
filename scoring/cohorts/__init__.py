"""Cohorts: people as rows of numbers, with the answer known, to train and to measure on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.errors import CohortUnusable


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """One row a person. Arrays of one length; `groups` are for reporting only and never reach the model."""

    source: str
    sha256: str  # of the file read
    rows: NDArray[np.float64]
    label: NDArray[np.bool_]
    period: NDArray[np.str_]  # sorts by time: "1999-2000"
    weight: NDArray[np.float64]  # to the population, mean 1 in each period
    subsample_weight: NDArray[np.float64]  # the survey's own weight; 0 outside its subsample
    groups: Mapping[str, NDArray[np.str_]]

    def __post_init__(self) -> None:
        columns = (self.label, self.period, self.weight, self.subsample_weight, *self.groups.values())
        if any(len(column) != len(self.rows) for column in columns):
            raise CohortUnusable("columns of different lengths")

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, chosen: NDArray[np.bool_]) -> Cohort:
        return replace(
            self,
            rows=self.rows[chosen],
            label=self.label[chosen],
            period=self.period[chosen],
            weight=self.weight[chosen],
            subsample_weight=self.subsample_weight[chosen],
            groups={name: column[chosen] for name, column in self.groups.items()},
        )

    def with_rows(self, rows: NDArray[np.float64]) -> Cohort:
        return replace(self, rows=rows)

    def summary(self) -> dict[str, Any]:
        """Which periods, how many people, how many with the label."""
        periods = sorted(set(self.period.tolist()))
        return {"periods": periods, "n": len(self), "events": int(self.label.sum())}

    def split(self, last_for_training: str) -> tuple[Cohort, Cohort]:
        """Before and after: up to and including that period, and everything later."""
        early = self.period <= last_for_training
        if early.all() or not early.any():
            raise CohortUnusable(f"nothing on one side of {last_for_training}")
        return self.where(early), self.where(~early)
