"""One function makes the row, in training and at the bedside; it lets nothing doubtful through."""

from __future__ import annotations

import math

import pytest

from cds.features import Feature
from cds.services.diabetes.features import FEATURES, KEYS

row, pattern = FEATURES.row, FEATURES.pattern

NAN = math.nan
WHOLE = {
    "age": 52.0,
    "sex": 1.0,
    "bmi": 29.0,
    "waist": 101.0,
    "systolic": 138.0,
    "diastolic": 84.0,
    "total_cholesterol": 210.0,
    "hdl": 41.0,
    "triglycerides": 180.0,
    "glucose": 112.0,
}


def test_a_whole_chart_keeps_its_values_in_the_order_of_the_model() -> None:
    assert row(WHOLE) == list(WHOLE.values())
    assert tuple(WHOLE) == KEYS


def test_what_is_absent_or_none_is_missing() -> None:
    numbers = row({"age": 52.0, "glucose": None})
    assert numbers[0] == 52.0
    assert all(math.isnan(number) for number in numbers[1:])


def test_a_nan_stays_missing() -> None:
    assert all(math.isnan(number) for number in row(dict.fromkeys(KEYS, NAN)))


@pytest.mark.parametrize("feature", FEATURES.columns[2:], ids=lambda feature: feature.key)
def test_values_are_used_up_to_the_limit_and_missing_beyond(feature: Feature) -> None:
    place = KEYS.index(feature.key)
    low, high = feature.low, feature.high
    for value in (low, high):
        assert row({feature.key: value})[place] == value
    for value in (low - 0.1, high + 0.1, -1.0, math.inf):
        assert math.isnan(row({feature.key: value})[place])


def test_age_is_capped_where_the_survey_stops() -> None:
    assert [row({"age": age})[0] for age in (18.0, 79.9, 80.0, 85.0, 103.0)] == [18.0, 79.9, 80.0, 80.0, 80.0]


def test_a_child_has_no_age_for_this_model() -> None:
    assert math.isnan(row({"age": 17.9})[0])


@pytest.mark.parametrize(("sex", "known"), [(1.0, True), (0.0, True), (0.5, False), (2.0, False), (None, False)])
def test_sex_is_male_female_or_missing(sex: float | None, known: bool) -> None:
    assert math.isnan(row({"sex": sex})[1]) is not known


@pytest.mark.parametrize("diastolic", [120.0, 121.0, 180.0])
def test_a_pressure_whose_numbers_contradict_is_missing_whole(diastolic: float) -> None:
    assert all(math.isnan(number) for number in row({"systolic": 120.0, "diastolic": diastolic})[4:6])


def test_one_number_of_a_pressure_may_stand_alone() -> None:
    assert row({"systolic": 120.0})[4] == 120.0
    assert row({"diastolic": 80.0})[5] == 80.0


def test_a_whole_chart_has_every_group() -> None:
    assert pattern(row(WHOLE)) == "body+glucose+lipids+pressure+waist"


def test_age_and_sex_alone_are_no_group() -> None:
    assert pattern(row({"age": 52.0, "sex": 0.0})) == ""


def test_one_value_is_enough_for_its_group() -> None:
    assert pattern(row({"hdl": 41.0, "diastolic": 84.0})) == "lipids+pressure"


def test_an_implausible_value_is_no_group() -> None:
    assert pattern(row({"glucose": 5.6})) == ""


def test_groups_are_sorted_and_hold_every_feature_but_the_person() -> None:
    groups = FEATURES.groups
    assert list(groups) == sorted(groups)
    assert {"age", "sex", *(key for keys in groups.values() for key in keys)} == set(KEYS)
