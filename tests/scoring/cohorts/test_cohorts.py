"""A cohort keeps a person's rows together and refuses, in one sentence, what nobody should learn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from scoring.cohorts import Cohort
from scoring.errors import CohortUnusable

ALL = ("sugar", "girth", "noise")


def visits(*, people: int = 200) -> Cohort:
    """Two rows a person, one in each of two years, and neither weights nor groups."""
    rows = np.random.default_rng(3).normal(size=(2 * people, 2))
    return Cohort(
        source="visits",
        sha256="0" * 64,
        features=("sugar", "girth"),
        rows=rows,
        label=rows[:, 0] + np.random.default_rng(4).normal(size=2 * people) > 0,
        person=np.repeat(np.arange(people), 2).astype(np.str_),
        repeats=True,
        period=np.tile(["2001", "2002"], people),
    )


def with_column(cohort: Cohort, column: NDArray[np.float64]) -> Cohort:
    rows = cohort.rows.copy()
    rows[:, 2] = column
    return cohort.with_rows(rows)


def test_weights_and_periods_may_be_left_out() -> None:
    plain = replace(visits(), period=np.array([], dtype=np.str_))
    assert plain.weight.tolist() == plain.subsample_weight.tolist() == [1.0] * 400
    assert plain.summary() == {"periods": [], "n": 400, "events": int(plain.label.sum()), "people": 200}


def test_nobody_is_on_both_sides_of_a_split_by_person() -> None:
    one, other = visits().split_people(0.7, seed=1)
    assert not set(one.person) & set(other.person)
    assert len(one) + len(other) == 400
    assert len(one) / 400 == pytest.approx(0.7, abs=0.1)


def test_a_split_by_person_is_the_seeds_and_does_not_move_when_others_join() -> None:
    few, many = visits(people=100).split_people(0.5, seed=1)[0], visits(people=300).split_people(0.5, seed=1)[0]
    assert set(few.person) == set(many.person) & set(np.arange(100).astype(np.str_))
    assert set(few.person) != set(visits(people=100).split_people(0.5, seed=2)[0].person)


def test_later_years_leave_out_people_of_the_earlier_ones() -> None:
    cohort = visits()
    newcomers = replace(cohort, person=np.where(np.arange(400) == 1, "new", cohort.person))
    early, late = newcomers.split("2001")
    assert len(early) == 200
    assert late.person.tolist() == ["new"]
    with pytest.raises(CohortUnusable, match="nothing on one side of 2001"):
        cohort.split("2001")


def test_features_come_in_the_order_that_was_asked_for(cohort: Cohort) -> None:
    turned = cohort.checked(["noise", "sugar"])
    assert turned.features == ("noise", "sugar")
    assert np.array_equal(turned.rows, cohort.rows[:, [2, 0]], equal_nan=True)


def test_a_missing_column_is_named(cohort: Cohort) -> None:
    with pytest.raises(CohortUnusable, match="the table has no column for waist"):
        cohort.checked([*ALL, "waist"])


@pytest.mark.parametrize(("label", "said"), [(True, "yes"), (False, "no")])
def test_one_class_only_is_refused(cohort: Cohort, *, label: bool, said: str) -> None:
    with pytest.raises(CohortUnusable, match=f"the label is {said} in all 1200 rows"):
        replace(cohort, label=np.full(1200, label)).checked(ALL)


def test_an_empty_column_is_named(cohort: Cohort) -> None:
    with pytest.raises(CohortUnusable, match="nothing but missing values in noise"):
        with_column(cohort, np.full(1200, np.nan)).checked(ALL)


def test_a_source_whose_charts_may_never_hold_a_feature_says_so(cohort: Cohort) -> None:
    assert replace(with_column(cohort, np.full(1200, np.nan)), sparse=True).checked(ALL)


def test_a_single_infinity_is_named(cohort: Cohort) -> None:
    with pytest.raises(CohortUnusable, match="infinite values in noise"):
        with_column(cohort, np.where(np.arange(1200) == 5, -np.inf, 1.0)).checked(ALL)


def test_a_label_among_the_features_is_named_as_it_is_turned_round_or_stretched(cohort: Cohort) -> None:
    draw = np.random.default_rng(1).random(1200)
    for column in (cohort.label, ~cohort.label, cohort.label * 5 + draw, -np.exp(cohort.label + draw / 2)):
        leaking = with_column(cohort, np.where(draw < 0.1, np.nan, column.astype(np.float64)))
        with pytest.raises(CohortUnusable, match="the label can be read off noise"):
            leaking.checked(ALL)


def test_a_value_that_is_there_only_for_the_ill_is_named(cohort: Cohort) -> None:
    with pytest.raises(CohortUnusable, match="the label can be read off noise"):
        with_column(cohort, np.where(cohort.label, 1.0, np.nan)).checked(ALL)


def test_a_rare_value_that_separates_a_handful_by_luck_is_no_leak(cohort: Cohort) -> None:
    few = np.isin(np.arange(1200), [*np.flatnonzero(cohort.label)[:3], *np.flatnonzero(~cohort.label)[:3]])
    assert with_column(cohort, np.where(few, cohort.label, np.nan)).checked(ALL)


def test_a_second_row_of_a_person_is_refused_where_one_was_promised(cohort: Cohort) -> None:
    twice = replace(cohort, person=np.where(np.arange(1200) == 7, "8", cohort.person))
    with pytest.raises(CohortUnusable, match="more than one row"):
        twice.checked(ALL)
    assert replace(twice, repeats=True).checked(ALL)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_a_weight_that_is_none_is_named(cohort: Cohort, weight: float) -> None:
    wrong = replace(cohort, weight=np.where(np.arange(1200) == 7, weight, 1.0))
    with pytest.raises(CohortUnusable, match="in weight"):
        wrong.checked(ALL)


def test_an_empty_cohort_says_so(cohort: Cohort) -> None:
    with pytest.raises(CohortUnusable, match="nobody"):
        cohort.where(np.zeros(1200, dtype=np.bool_)).checked(ALL)


def test_columns_must_be_as_long_and_as_many_as_the_rows(cohort: Cohort) -> None:
    with pytest.raises(CohortUnusable, match="different lengths"):
        replace(cohort, label=cohort.label[:5])
    with pytest.raises(CohortUnusable, match="2 features are named"):
        replace(cohort, features=("sugar", "girth"))
