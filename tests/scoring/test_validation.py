"""Validation measures every pattern of missing data and says where the model abstains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scoring import validation
from scoring.cohorts import Cohort
from scoring.recipes import Recipe
from scoring.training import Trained, train


def test_every_subset_of_the_groups_is_a_pattern(trained: Trained) -> None:
    assert set(trained.facts["patterns"]) == {"", "blood", "tape", "blood+tape"}


def test_a_pattern_hides_the_other_groups_and_needs_its_own(recipe: Recipe, cohort: Cohort) -> None:
    parts = dict(validation.patterns(recipe, cohort))
    assert np.isnan(parts["blood"].rows[:, 1:]).all()
    assert not np.isnan(parts["blood"].rows[:, 0]).any()
    assert np.isnan(parts[""].rows).all()
    assert len(parts[""]) == len(cohort)


def test_a_group_counts_as_known_when_one_of_its_values_is(recipe: Recipe, cohort: Cohort) -> None:
    assert np.isnan(cohort.rows[:, 1]).any()
    assert len(dict(validation.patterns(recipe, cohort))["tape"]) == len(cohort)


def test_what_decides_the_label_ranks_better_than_what_does_not(trained: Trained) -> None:
    patterns = trained.facts["patterns"]
    assert patterns[""]["auroc"] == 0.5
    assert patterns["tape"]["auroc"] + 0.1 < patterns["blood"]["auroc"] < patterns["blood+tape"]["auroc"]


def test_a_calibrated_model_does_not_abstain(trained: Trained) -> None:
    assert {name for name, part in trained.facts["patterns"].items() if part["abstain"]} == set()


def test_the_model_abstains_where_later_years_are_otherwise(recipe: Recipe, cohort: Cohort) -> None:
    rarer = cohort.label & ((cohort.period <= recipe.train_until) | (np.arange(len(cohort)) // 6 % 2 == 0))
    facts = train(recipe, replace(cohort, label=rarer), source="made-up", seed=1).facts
    assert all(part["abstain"] and part["observed_expected"] < 0.8 for part in facts["patterns"].values())


def test_weights_alone_can_make_it_abstain(recipe: Recipe, cohort: Cohort) -> None:
    late = cohort.period > recipe.train_until
    weighted = replace(cohort, weight=np.where(late & cohort.label, 5.0, 1.0))
    part = train(recipe, weighted, source="made-up", seed=1).facts["patterns"]["blood"]
    assert 0.8 < part["observed_expected"] < 1.25 < part["observed_expected_weighted"]
    assert part["abstain"]


def test_groups_are_measured_apart(trained: Trained, cohort: Cohort, recipe: Recipe) -> None:
    towns = trained.facts["by_group"]["town"]
    late = cohort.split(recipe.train_until)[1]
    assert {name: town["n"] for name, town in towns.items()} == {
        name: int((late.groups["town"] == name).sum()) for name in ("east", "west")
    }
    assert all(town["auroc"]["low"] < town["auroc"]["value"] < town["auroc"]["high"] for town in towns.values())


def test_a_second_useful_feature_beats_the_rival_and_noise_does_not(
    recipe: Recipe, cohort: Cohort, trained: Trained
) -> None:
    assert trained.facts["versus_sugar_alone"]["all"]["beats"]
    blind = cohort.with_rows(np.column_stack([cohort.rows[:, 0], cohort.rows[::-1, 2], cohort.rows[:, 2]]))
    versus = train(recipe, blind, source="made-up", seed=1).facts["versus_sugar_alone"]["all"]
    assert not versus["beats"]
    assert versus["difference"]["low"] <= versus["difference"]["value"] <= versus["difference"]["high"]


def test_the_rival_may_raise_as_many_alerts(trained: Trained) -> None:
    versus = trained.facts["versus_sugar_alone"]["all"]
    assert versus["rival_alerts_per_100"] == pytest.approx(versus["alerts_per_100"])


def test_the_weighted_view_sees_only_people_with_weight(cohort: Cohort, trained: Trained, recipe: Recipe) -> None:
    views, late = trained.facts["performance"], cohort.split(recipe.train_until)[1]
    assert set(views) == {"unweighted", "subsample"}  # where every weight is one, a weighted view would say it twice
    assert views["subsample"]["n"] == int((late.subsample_weight > 0).sum()) < views["unweighted"]["n"]


def test_every_figure_has_an_interval_that_holds_it(trained: Trained) -> None:
    view = trained.facts["performance"]["unweighted"]
    tables = ("at_threshold", "sensitivity_at_specificity", "specificity_at_sensitivity")
    figures = [view[name] for name in set(view) - {*tables, "n", "events"}]
    figures += [figure for name in tables for figure in view[name].values()]
    assert len(figures) == 19
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in figures)
