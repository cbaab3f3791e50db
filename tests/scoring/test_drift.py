"""Drift: what has changed is found, what has not raises no alarm, and nothing is too empty to look at."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from scoring.drift import ALARM, WATCH, Shift, compare, reference

MANY = 4000


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(11)


def column(draw: np.random.Generator, n: int, *, mean: float = 100, missing: float = 0.2) -> NDArray[np.float64]:
    values = draw.normal(mean, 15, size=n)
    values[draw.random(n) < missing] = np.nan
    return values


def shift(now: NDArray[np.float64], then: NDArray[np.float64]) -> Shift:
    """As it travels: the reference has been through a model's facts, which are JSON."""
    kept = json.loads(json.dumps(reference(then.reshape(-1, 1), ("glucose",)), allow_nan=False))
    return compare(now.reshape(-1, 1), ("glucose",), kept)[0]


def test_the_reference_is_small_and_tells_what_is_missing(draw: np.random.Generator) -> None:
    kept = reference(column(draw, MANY).reshape(-1, 1), ("glucose",))["glucose"]
    assert len(kept["values"]) == len(kept["at_or_below"]) == 20
    assert (kept["n"], kept["at_or_below"][-1]) == (MANY, 1.0)
    assert kept["missing"] == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("n", [30, 60, 300, 2000])
def test_without_a_change_chance_raises_no_more_alarms_than_promised(draw: np.random.Generator, n: int) -> None:
    then = column(draw, MANY)
    shifts = [shift(column(draw, n), then) for _ in range(200)]
    assert sum(one.level != "" for one in shifts) <= 8  # 2 of 200 are to be expected
    assert np.mean([one.ks_p is not None and one.ks_p < 0.05 for one in shifts]) < 0.1


def test_a_shifted_mean_is_an_alarm(draw: np.random.Generator) -> None:
    found = shift(column(draw, 500, mean=112), column(draw, MANY))
    assert (found.level, found.empty) == ("alarm", False)
    assert found.psi is not None
    assert found.psi > ALARM
    assert found.ks is not None
    assert found.ks == pytest.approx(0.31, abs=0.06)  # of two normal distributions 0.8 deviations apart
    assert found.ks_p == pytest.approx(0, abs=1e-6)


def test_a_smaller_shift_is_watched(draw: np.random.Generator) -> None:
    found = shift(column(draw, 2000, mean=106), column(draw, MANY))
    assert found.psi is not None
    assert WATCH < found.psi < ALARM
    assert found.level == "watch"


def test_values_that_go_missing_count_although_the_known_ones_stay_the_same(draw: np.random.Generator) -> None:
    found = shift(column(draw, 1000, missing=0.6), column(draw, MANY, missing=0.1))
    assert (found.level, found.empty) == ("alarm", False)
    assert found.ks is not None
    assert found.ks < 0.1


def test_a_column_that_is_suddenly_empty_is_an_alarm_before_the_month_is_over(draw: np.random.Generator) -> None:
    now = column(draw, 300)
    now[:12] = np.nan  # newest first
    found = shift(now, column(draw, MANY))
    assert (found.level, found.empty, found.run) == ("alarm", True, 12)


def test_a_few_missing_values_in_a_row_are_none(draw: np.random.Generator) -> None:
    now = column(draw, 300)
    now[:7] = [*[np.nan] * 6, 100]
    found = shift(now, column(draw, MANY))
    assert (found.level, found.run) == ("", 6)


def test_a_column_that_was_hardly_ever_there_may_be_empty(draw: np.random.Generator) -> None:
    assert shift(column(draw, 300, missing=1), column(draw, MANY, missing=0.995)).level == ""


def test_a_column_that_is_wholly_empty_has_no_distance_and_is_an_alarm(draw: np.random.Generator) -> None:
    found = shift(column(draw, 200, missing=1), column(draw, MANY))
    assert (found.missing, found.ks, found.empty, found.level) == (1.0, None, True, "alarm")
    assert found.psi is not None
    assert found.psi > ALARM


@pytest.mark.parametrize("n", [0, 1, 5])
def test_too_few_rows_say_nothing(draw: np.random.Generator, n: int) -> None:
    found = shift(column(draw, n), column(draw, MANY))
    assert (found.n, found.psi, found.ks, found.level) == (n, None, None, "")


@pytest.mark.parametrize("n", [0, 5])
def test_a_reference_of_too_few_rows_says_nothing(draw: np.random.Generator, n: int) -> None:
    found = shift(column(draw, 300), column(draw, n))
    assert (found.psi, found.level) == (None, "")


def test_a_reference_without_any_value_is_no_crash(draw: np.random.Generator) -> None:
    found = shift(column(draw, 300), column(draw, 300, missing=1))
    assert (found.ks, found.level) == (None, "alarm")  # it is there now, and never was


def test_a_column_of_two_values_is_compared_by_their_shares() -> None:
    found = shift(np.repeat([0.0, 1.0], [80, 220]), np.repeat([0.0, 1.0], [2000, 2000]))
    assert found.ks is not None
    assert found.ks == pytest.approx(0.5 - 80 / 300)
    assert found.level == "watch"


def test_a_constant_column_may_stay_constant() -> None:
    found = shift(np.ones(300), np.ones(MANY))
    assert (found.ks, found.level) == (0.0, "")


def test_infinities_are_values_like_others(draw: np.random.Generator) -> None:
    now = column(draw, 300, missing=0)
    now[100:200] = np.inf
    assert shift(now, column(draw, MANY)).level == "alarm"


def test_a_column_that_the_reference_does_not_know_is_left_out(draw: np.random.Generator) -> None:
    kept = reference(column(draw, MANY).reshape(-1, 1), ("glucose",))
    rows = np.column_stack([column(draw, 100), column(draw, 100)])
    assert [one.feature for one in compare(rows, ("new", "glucose"), kept)] == ["glucose"]


def test_psi_is_the_textbook_s() -> None:
    """Two bins, half and half then, a quarter and three quarters now, none missing."""
    found = shift(np.repeat([0.0, 1.0], [2500, 7500]), np.repeat([0.0, 1.0], [5000, 5000]))
    assert found.psi == pytest.approx(0.25 * np.log(2) + 0.25 * np.log(1.5), abs=1e-3)


def test_ks_agrees_with_scipy_up_to_the_quantiles_kept(draw: np.random.Generator) -> None:
    stats = pytest.importorskip("scipy.stats")
    then, now = column(draw, MANY, missing=0), column(draw, 400, mean=104, missing=0)
    theirs, ours = stats.ks_2samp(now, then, method="asymp"), shift(now, then)
    assert ours.ks is not None
    assert theirs.statistic - 0.05 <= ours.ks <= theirs.statistic + 1e-9
    assert ours.ks_p == pytest.approx(stats.kstwobign.sf(ours.ks * np.sqrt(400 * MANY / (400 + MANY))), rel=1e-6)
