"""The equation against its published values, and when a creatinine is not steady."""

from __future__ import annotations

import pytest

from cds.services.metformin_renal.kidneys import ckd_epi_2021, filtration, rise
from cds.services.metformin_renal.tests.charts import (
    chart,
    creatinine,
    days_ago,
    egfr,
    hours_ago,
    months_ago,
    person,
    when,
)


# --- The equation ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "age", "female", "expected"),
    [
        (0.7, 50, True, 142 * 0.9938**50 * 1.012),  # at kappa both powers are 1
        (0.9, 50, False, 142 * 0.9938**50),
        (0.9, 55, True, 75.5),  # above kappa; worked out by hand: 1.2857 ** -1.2 = 0.7397
        (1.4, 60, True, 142 * 2**-1.2 * 0.9938**60 * 1.012),
        (1.8, 60, False, 142 * 2**-1.2 * 0.9938**60),
        (0.35, 30, True, 142 * 0.5**-0.241 * 0.9938**30 * 1.012),
        (0.45, 30, False, 142 * 0.5**-0.302 * 0.9938**30),
    ],
)
def test_ckd_epi_2021(value: float, age: int, female: bool, expected: float) -> None:
    assert ckd_epi_2021(value, age=age, female=female) == pytest.approx(expected, abs=0.1)


def test_more_creatinine_is_less_filtration() -> None:
    values = [ckd_epi_2021(value / 10, age=60, female=True) for value in range(3, 60)]
    assert values == sorted(values, reverse=True)


# --- Which eGFR counts -------------------------------------------------------------------------------------------
def text_of(*facts: object, **more: object) -> str:
    found = filtration(chart(*facts, **more))  # type: ignore[arg-type]
    return f"{found.text}{' computed' if found.computed else ''}" if found else "none"


def test_the_newest_reported_egfr_counts() -> None:
    assert text_of(egfr(70, at=days_ago(40)), egfr(38, at=days_ago(10)), egfr(90, at=days_ago(90))) == "38"


def test_of_two_of_one_moment_the_lower_counts() -> None:
    assert text_of(egfr(46, at=hours_ago(5)), egfr(44, at=hours_ago(5))) == "44"


@pytest.mark.parametrize(("at", "counts"), [(months_ago(12), True), (months_ago(12, days=-1), False)])
def test_twelve_months_to_the_day(at: str, counts: bool) -> None:
    assert (text_of(egfr(70, at=at)) == "70") is counts
    assert (text_of(creatinine(0.9, at=at)) != "none") is counts


def test_without_an_egfr_creatinine_gives_one_rounded_as_laboratories_do() -> None:
    assert text_of(creatinine(1.58)) == "38 computed"
    assert text_of(creatinine(139.7, "umol/L")) == "38 computed"


def test_an_old_egfr_gives_way_to_a_newer_creatinine() -> None:
    assert text_of(egfr(70, at=months_ago(14)), creatinine(1.58)) == "38 computed"


def test_the_age_is_that_of_the_day_of_the_test() -> None:
    birthday_between = person(birth_date=when("1968-03-15"))
    assert (
        text_of(creatinine(0.81, at="2026-03-10"), patient=birthday_between)
        == str(round(ckd_epi_2021(0.81, age=57, female=True))) + " computed"
    )


def test_a_later_creatinine_that_says_worse_counts() -> None:
    assert text_of(egfr(60, at=days_ago(60)), creatinine(1.58, at=days_ago(5))) == "38 computed"


def test_a_later_creatinine_that_says_better_does_not() -> None:
    assert text_of(egfr(28, at=days_ago(60)), creatinine(0.8, at=days_ago(5))) == "28"


@pytest.mark.parametrize("at", ["2026-03-01", "2026-03-01T08:00:00+13:00"])
def test_a_creatinine_of_the_same_day_in_no_known_order_changes_nothing(at: str) -> None:
    assert text_of(egfr(50, at="2026-03-01"), creatinine(1.58, at=at)) == "50"


@pytest.mark.parametrize(("hours", "counts"), [(1, "38 computed"), (8, "50"), (9, "50")])
def test_on_one_day_the_time_decides_what_is_later(hours: float, counts: str) -> None:
    assert text_of(egfr(50, at=hours_ago(8)), creatinine(1.58, at=hours_ago(hours))) == counts


@pytest.mark.parametrize("values", [(0.8, 1.58), (1.58, 0.8)])
@pytest.mark.parametrize("at", ["2026-03-01", "2026-03-01T08:00:00+13:00"])
def test_of_two_creatinines_of_one_moment_the_higher_counts(values: tuple[float, float], at: str) -> None:
    assert text_of(*(creatinine(value, at=at) for value in values)) == "38 computed"


def test_an_earlier_creatinine_of_the_same_day_does_not() -> None:
    assert text_of(creatinine(4.0, at=hours_ago(8)), creatinine(1.58, at=hours_ago(1))) == "38 computed"


@pytest.mark.parametrize(
    "patient",
    [person(sex="unknown"), person(sex="other"), person(birth_date=None), person(birth_date=when("2010-01-01"))],
)
def test_without_an_adults_age_and_a_sex_nothing_is_computed(patient: object) -> None:
    assert text_of(creatinine(1.58), patient=patient) == "none"
    assert text_of(egfr(38), patient=patient) == "38"


@pytest.mark.parametrize(
    ("comparator", "value", "counts"),
    [
        (">", 60, True),
        (">=", 60, True),
        (">", 45, True),
        (">", 44, False),
        (">", 30, False),
        ("<", 30, True),
        ("<=", 30, True),
        ("<", 45, True),
        ("<=", 45, False),
        ("<", 15, True),
        ("<", 31, True),
        ("<", 60, False),
    ],
)
def test_a_limit_counts_where_it_settles_the_question(comparator: str, value: float, counts: bool) -> None:
    assert text_of(egfr(value, comparator=comparator)) == (f"{comparator}{value}" if counts else "none")


def test_a_limit_that_settles_nothing_gives_way_to_the_value_before_it() -> None:
    assert text_of(egfr(30, comparator=">", at=days_ago(3)), egfr(38, at=days_ago(9))) == "38"


@pytest.mark.parametrize(
    ("value", "comparator", "low"), [(29.9, "", True), (30, "", False), (30, "<", True), (15, "<=", True)]
)
def test_below_30_contraindicates(value: float, comparator: str, low: bool) -> None:
    found = filtration(chart(egfr(value, comparator=comparator)))
    assert found is not None
    assert found.contraindicates is low


@pytest.mark.parametrize(("value", "low"), [(29.9, True), (30, True), (44.9, True), (45, False)])
def test_below_45_forbids_starting(value: float, low: bool) -> None:
    found = filtration(chart(egfr(value)))
    assert found is not None
    assert found.forbids_starting is low


@pytest.mark.parametrize(
    ("value", "comparator", "open_"),
    [(45, "<", True), (30, "<=", True), (30, "<", False), (38, "", False), (60, ">", False)],
)
def test_a_limit_may_leave_open_whether_it_is_below_30(value: float, comparator: str, open_: bool) -> None:
    found = filtration(chart(egfr(value, comparator=comparator)))
    assert found is not None
    assert found.may_contraindicate is open_


# --- Steady or not -----------------------------------------------------------------------------------------------
def risen(*facts: object) -> bool:
    return rise(chart(*facts)) is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "hours", "up"),
    [
        (0.9, 1.2, 48, True),
        (0.9, 1.19, 48, False),
        (0.9, 1.2, 48.1, False),
        (0.8, 1.2, 168, True),
        (0.8, 1.19, 168, False),
        (0.8, 1.2, 168.1, False),
        (1.2, 0.8, 24, False),
        (1.0, 1.0, 24, False),
    ],
)
def test_up_by_0_3_in_48_hours_or_by_half_in_7_days(before: float, after: float, hours: float, up: bool) -> None:
    assert risen(creatinine(before, at=hours_ago(hours + 1)), creatinine(after, at=hours_ago(1))) is up


@pytest.mark.parametrize(("after", "up"), [(126.5, True), (126.4, False)])
def test_micromoles_are_compared_as_reported(after: float, up: bool) -> None:
    assert risen(creatinine(100, "umol/L", at=hours_ago(40)), creatinine(after, "umol/L", at=hours_ago(1))) is up


def test_two_units_are_compared_in_one() -> None:
    assert risen(creatinine(88.4, "umol/L", at=hours_ago(40)), creatinine(1.3, at=hours_ago(1)))
    assert not risen(creatinine(88.4, "umol/L", at=hours_ago(40)), creatinine(1.29, at=hours_ago(1)))


@pytest.mark.parametrize(("days", "up"), [(3, True), (2, True), (4, False)])
def test_whole_days_count_as_close_as_they_may_have_been(days: int, up: bool) -> None:
    assert risen(creatinine(1.5, at=days_ago(days)), creatinine(1.8, at=days_ago(1))) is up


def test_two_results_of_one_day_without_times_are_in_no_order() -> None:
    assert not risen(creatinine(0.9, at=days_ago(1)), creatinine(1.9, at=days_ago(1)))


def test_a_date_of_a_month_only_is_too_vague() -> None:
    assert not risen(creatinine(0.9, at="2026-02"), creatinine(1.9, at="2026-03-01"))


def test_a_rise_within_the_week_before_the_newest_still_counts() -> None:
    peak = (creatinine(0.9, at=hours_ago(200)), creatinine(1.8, at=hours_ago(160)), creatinine(1.6, at=hours_ago(1)))
    assert risen(*peak)


@pytest.mark.parametrize("later", [creatinine(0.9, at=days_ago(1)), egfr(70, at=days_ago(1))])
def test_a_later_steady_value_ends_it(later: object) -> None:
    assert not risen(creatinine(0.9, at=days_ago(20)), creatinine(1.8, at=days_ago(19)), later)


def test_the_newest_rise_is_named() -> None:
    results = [creatinine(value, at=hours_ago(hours)) for value, hours in ((0.9, 90), (1.3, 60), (1.8, 30))]
    found = rise(chart(*results))
    assert found is not None
    assert (found.after.quantity.value, found.before.quantity.value) == (1.8, 1.3)
