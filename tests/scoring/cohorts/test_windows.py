"""Statistics of a window are those that numpy gives for each group by itself."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.cohorts.windows import STATISTICS, statistics

DRAW = np.random.default_rng(2)
GROUP = np.sort(DRAW.integers(0, 40, 300)) * 2  # every second group is empty
TIME = DRAW.random(300) * 3
TIME = TIME[np.lexsort((TIME, GROUP))]
VALUE = DRAW.normal(100, 20, 300)


def test_each_group_has_the_figures_of_its_own_values() -> None:
    found = statistics(GROUP, TIME, VALUE, groups=81)
    for group in np.unique(GROUP):
        time, value = TIME[group == GROUP], VALUE[group == GROUP]
        expected = [value[0], value[-1], value.min(), value.max(), value.mean()]
        assert [found[name][group] for name in STATISTICS[:5]] == pytest.approx(expected)
        if len(value) > 1:
            assert found["slope"][group] == pytest.approx(np.polyfit(time, value, 1)[0])


def test_a_group_without_values_has_none() -> None:
    assert all(np.isnan(column[1::2]).all() for column in statistics(GROUP, TIME, VALUE, groups=81).values())


def test_one_moment_has_no_slope() -> None:
    found = statistics(np.array([0, 0, 1]), np.array([0.1, 0.1, 5.0]), np.array([1.0, 3, 7]), groups=2)
    assert np.isnan(found["slope"]).all()
    assert found["mean"].tolist() == [2, 7]


def test_nothing_measured_at_all_is_nothing_known() -> None:
    nothing = np.array([])
    found = statistics(nothing.astype(np.int64), nothing, nothing, groups=3)
    assert all(np.isnan(column).all() for column in found.values())
