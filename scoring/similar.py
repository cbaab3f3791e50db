"""Similar cases: the recorded rows that lie nearest to a given one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.models import Prediction

Row = Mapping[str, float | None]
MOST = 5_000  # the newest are looked at
_APART = 1.0  # standard deviations, between a known value and a missing one


def nearest(row: Row, others: Sequence[Prediction], *, count: int) -> list[Prediction]:
    """By the mean squared difference in standard deviations over all features; ties go to the newer, which come first."""
    if not others:
        return []
    features = sorted(row)
    table = np.array([[_number(other.row.get(key)) for key in features] for other in others])
    distance = distances(np.array([_number(row[key]) for key in features]), table)
    return [others[place] for place in np.argsort(distance, kind="stable")[:count].tolist()]


def distances(row: NDArray[np.float64], table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each row of the table; what both lack is no difference, what one lacks is a difference of one deviation."""
    everyone = np.vstack([table, row])
    known = ~np.isnan(everyone)
    mean = np.where(known, everyone, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    spread = np.sqrt(np.where(known, (everyone - mean) ** 2, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    apart = ((table - row) / np.where(spread > 0, spread, 1.0)) ** 2
    apart[np.isnan(table) ^ np.isnan(row)] = _APART
    apart[np.isnan(table) & np.isnan(row)] = 0.0
    return np.asarray(apart.mean(axis=1), dtype=np.float64)


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
