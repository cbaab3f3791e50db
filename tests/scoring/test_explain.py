"""Points of probability share out exactly what separates a person from the average."""

from __future__ import annotations

import math

import pytest

from scoring.explain import points
from scoring.shelf import Score, sigmoid


def score(base: float, *contributions: float) -> Score:
    margin = base + sum(contributions)
    return Score(probability=sigmoid(margin), margin=margin, base=base, contributions=contributions)


def test_points_sum_to_the_distance_from_the_average() -> None:
    one = score(-3.5, 2.0, 0.5, -0.3)
    assert sum(points(one)) == pytest.approx(one.probability - sigmoid(-3.5))


def test_points_keep_sign_and_proportion() -> None:
    up, down, nothing = points(score(-3.5, 2.0, -1.0, 0.0))
    assert (up > 0 > down, nothing) == (True, 0.0)
    assert up == pytest.approx(-2 * down)


@pytest.mark.parametrize("contributions", [(2.0, -2.0), (0.0, 0.0), (1e-9, 0.0), (2.0, -2.0 + 1e-8)])
def test_points_stay_finite_and_small_where_contributions_cancel(contributions: tuple[float, float]) -> None:
    given = points(score(-2.0, *contributions))
    assert all(math.isfinite(point) for point in given)
    assert max(abs(point) for point in given) <= 0.25 * max(map(abs, contributions)) + 1e-12


def test_an_extreme_margin_does_not_overflow() -> None:
    assert sigmoid(-1000) == 0.0
    assert sigmoid(1000) == 1.0
