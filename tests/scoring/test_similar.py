"""Similar cases: nearest in standard deviations; a value that only one of them has keeps them apart."""

from __future__ import annotations

import numpy as np

from scoring.models import Prediction
from scoring.similar import distances, nearest


def one(**row: float | None) -> Prediction:
    return Prediction(row=row)


FAR = [one(age=20, glucose=80, waist=70), one(age=80, glucose=180, waist=120)]


def test_the_nearest_come_first() -> None:
    others = [one(age=80, glucose=90), one(age=51, glucose=131), one(age=50, glucose=200)]
    found = nearest({"age": 50, "glucose": 130}, others, count=2)
    assert found == [others[1], others[2]]


def test_units_do_not_matter() -> None:
    """A hundred times the number is the same distance in standard deviations."""
    table = np.array([[1.0, 100.0], [2.0, 300.0], [3.0, 200.0]])
    assert np.allclose(distances(table[0], table), distances(table[0] * [1, 10], table * [1, 10]))


def test_what_only_one_of_them_has_keeps_them_apart() -> None:
    others = [one(age=50, glucose=None), one(age=50, glucose=131), *FAR]
    assert nearest({"age": 50, "glucose": 130}, others, count=1) == [others[1]]
    assert nearest({"age": 50, "glucose": None}, others, count=1) == [others[0]]


def test_a_feature_that_an_older_row_does_not_have_is_missing_there() -> None:
    others = [one(age=50), one(age=50, waist=90), *FAR]
    assert nearest({"age": 50, "waist": 91}, others, count=1) == [others[1]]


def test_of_nobody_there_is_no_nearest() -> None:
    assert nearest({"age": 50}, [], count=8) == []


def test_columns_without_spread_or_value_are_no_crash() -> None:
    assert distances(np.array([1.0, np.nan]), np.array([[1.0, np.nan], [1.0, np.nan]])).tolist() == [0, 0]
