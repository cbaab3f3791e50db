"""Training is repeatable to the byte, hides what it is told to hide, and writes down what it did."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scoring.boosting import grow, masked_copies, weights
from scoring.cohorts import Cohort
from scoring.errors import CohortUnusable, RecipeUnusable
from scoring.preparation import Fill, Preparation
from scoring.recipes import Mask, Recipe
from scoring.shelf import sha256
from scoring.thresholds import AlertsPer100
from scoring.training import Trained, rounded, train, write


def test_the_same_seed_writes_the_same_bytes(recipe: Recipe, cohort: Cohort, trained: Trained, tmp_path: Path) -> None:
    again = train(recipe, cohort, source="made-up", seed=1)
    first = [path.read_bytes() for path in write(trained, tmp_path / "first")]
    assert [path.read_bytes() for path in write(again, tmp_path / "second")] == first


def test_another_seed_is_another_model(recipe: Recipe, cohort: Cohort, trained: Trained) -> None:
    assert train(recipe, cohort, source="made-up", seed=2).facts["sha256"] != trained.facts["sha256"]


def test_later_years_do_not_reach_the_model(recipe: Recipe, cohort: Cohort, trained: Trained) -> None:
    late = cohort.period > recipe.train_until
    turned = replace(cohort, label=np.where(late, ~cohort.label, cohort.label))
    assert train(recipe, turned, source="made-up", seed=1).artefact == trained.artefact


def test_the_artefact_is_the_native_format_and_its_sha256_is_recorded(trained: Trained) -> None:
    assert trained.artefact[:1] == b"{"  # UBJ opens an object; a pickle starts with 0x80
    assert trained.facts["sha256"] == sha256(trained.artefact)


def test_facts_are_plain_json_and_survive_writing(trained: Trained, tmp_path: Path) -> None:
    _, facts, card = write(trained, tmp_path)
    assert json.loads(facts.read_text()) == trained.facts
    assert card.read_text() == trained.card


def test_the_first_copy_is_as_recorded_and_groups_are_hidden_whole(recipe: Recipe, cohort: Cohort) -> None:
    copies = masked_copies(recipe, cohort.rows, seed=1).reshape(recipe.copies, len(cohort), 3)
    assert np.array_equal(copies[0], cohort.rows, equal_nan=True)
    hidden = np.isnan(copies[1:]) & ~np.isnan(cohort.rows)
    assert np.array_equal(hidden[:, :, 1] | np.isnan(cohort.rows[:, 1]), hidden[:, :, 2] | np.isnan(cohort.rows[:, 1]))
    assert hidden.mean(axis=(0, 1)) == pytest.approx([0.5, 0.45, 0.5], abs=0.05)


def test_masks_leave_the_cohort_itself_alone(recipe: Recipe, cohort: Cohort) -> None:
    before = cohort.rows.copy()
    masked_copies(replace(recipe, masks=(Mask(keys=("sugar",), share=1.0),)), cohort.rows, seed=1)
    assert np.array_equal(cohort.rows, before, equal_nan=True)


def test_older_years_weigh_less_by_half_life(recipe: Recipe, cohort: Cohort) -> None:
    weight = weights(replace(recipe, half_life_years=2), cohort)
    by_period = {period: weight[cohort.period == period].mean() for period in np.unique(cohort.period)}
    assert by_period["1999-2000"] == pytest.approx(by_period["2003-2004"] / 4)
    assert weight.mean() == pytest.approx(1)


def test_survey_weights_count_as_much_as_the_recipe_says(recipe: Recipe, cohort: Cohort) -> None:
    heavy = replace(cohort, weight=np.where(np.arange(len(cohort)) < 600, 4.0, 1.0))
    forever = replace(recipe, half_life_years=1e9)
    for power, ratio in ((1.0, 4.0), (0.5, 2.0), (0.0, 1.0)):
        weight = weights(replace(forever, weight_power=power), heavy)
        assert weight[0] / weight[-1] == pytest.approx(ratio, rel=1e-6)


def test_a_monotone_feature_never_turns(recipe: Recipe, cohort: Cohort) -> None:
    from xgboost import DMatrix

    turned = replace(recipe, monotone={"sugar": 1, "noise": -1})
    booster = grow(turned, cohort, recipe.params, rounds=30, seed=1)
    line = np.zeros((50, 3))
    line[:, 2] = np.linspace(-3, 3, 50)
    answers = booster.predict(DMatrix(line, feature_names=list(recipe.features)))
    assert (np.diff(answers) <= 1e-7).all()


def test_years_that_are_not_there_cannot_be_split(recipe: Recipe, cohort: Cohort) -> None:
    with pytest.raises(CohortUnusable):
        train(replace(recipe, train_until="2015-2016"), cohort, source="made-up", seed=1)


def test_floats_are_cut_everywhere_and_nothing_else() -> None:
    assert rounded({"a": [0.12345678, 3, True, None, "x"]}) == {"a": [0.123457, 3, True, None, "x"]}


def test_a_recipe_that_asks_for_what_the_bedside_does_not_do_is_refused(recipe: Recipe, cohort: Cohort) -> None:
    filled = replace(recipe, preparation=Preparation(fill=Fill.MEDIAN))
    with pytest.raises(RecipeUnusable, match="recipe made-up cannot be followed: rows are not prepared"):
        train(filled, cohort, source="made-up", seed=1)


def test_preparations_are_compared_and_the_card_says_which_is_taken(trained: Trained) -> None:
    found = trained.facts["comparisons"]["preparation"]
    assert len(found["options"]) == 9
    assert f"taken: {found['taken']}" in trained.card


def test_a_recipe_without_time_groups_weights_or_rival_trains_too(cohort: Cohort, recipe: Recipe) -> None:
    plain = replace(cohort, period=np.array([], dtype=np.str_), subsample_weight=np.array([]), groups={})
    least = Recipe(
        name="least",
        model="least-risk",
        version="1.0.0",
        folder=recipe.folder,
        label="is ill",
        sources={},
        features=recipe.features,
        threshold=AlertsPer100(at_most=20),
        words={},
        params={"max_depth": 2, "eta": 0.3},
        folds=3,
        patience=5,
        resamples=20,
    )
    found = train(least, plain, source="made-up", seed=1)
    assert found.facts["trained_on"]["n"] + found.facts["validated_on"]["n"] == 1200
    assert found.facts["trained_on"]["n"] == pytest.approx(900, abs=60)
    assert set(found.facts["patterns"]) == {""}
    for title in ("By what is known", "By group of people", "Against one value alone"):
        assert title not in found.card
