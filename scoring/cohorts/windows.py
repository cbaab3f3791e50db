"""A window of measurements as numbers: first, last, lowest, highest, mean, and how fast it rose."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

STATISTICS = ("first", "last", "min", "max", "mean", "slope")


def statistics(group: NDArray[np.int64], time: Numbers, value: Numbers, *, groups: int) -> Mapping[str, Numbers]:
    """Each of STATISTICS for groups 0..groups-1; nan for a group without a value.

    The arrays are of one length and sorted by group and time. `slope` is that of the least-squares line, in units of
    `value` per unit of `time`; nan where all values are of one moment.
    """
    out = {name: np.full(groups, np.nan) for name in STATISTICS}
    if not len(group):
        return out
    start = np.flatnonzero(np.diff(group, prepend=-1))
    end, there = np.append(start[1:], len(group)) - 1, group[start]
    out["first"][there], out["last"][there] = value[start], value[end]
    out["min"][there], out["max"][there] = np.minimum.reduceat(value, start), np.maximum.reduceat(value, start)
    out["mean"][there] = _means(value, start)
    out["slope"][there] = _slopes(time, value, start)
    return out


def _means(column: Numbers, start: NDArray[np.int64]) -> Numbers:
    return np.asarray(np.add.reduceat(column, start) / np.diff(start, append=len(column)))


def _slopes(time: Numbers, value: Numbers, start: NDArray[np.int64]) -> Numbers:
    size = np.diff(start, append=len(time))
    early, high = time - np.repeat(_means(time, start), size), value - np.repeat(_means(value, start), size)
    spread = np.add.reduceat(early**2, start)
    apart = time[start] < time[np.append(start[1:], len(time)) - 1]
    together = np.add.reduceat(early * high, start)
    return np.asarray(np.divide(together, spread, out=np.full(len(start), np.nan), where=apart))
