"""Recipes register themselves, once each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scoring import recipes
from scoring.cohorts import Cohort
from scoring.errors import CohortUnusable, RecipeMissing
from scoring.recipes import Recipe


def test_the_recipe_of_an_installed_app_is_found() -> None:
    assert recipes.get("diabetes").model == "diabetes-risk"


def test_an_unknown_recipe_names_those_that_are_known() -> None:
    with pytest.raises(RecipeMissing, match="diabetes"):
        recipes.get("gout")


def test_two_recipes_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="diabetes"):
        recipes.recipe(replace(recipes.get("diabetes"), version="2"))


def test_an_unknown_source_names_those_that_are_known(recipe: Recipe) -> None:
    with pytest.raises(RecipeMissing, match="made-up"):
        recipe.read("nhanes", "")


def test_people_are_read_with_the_features_of_the_recipe_and_checked(recipe: Recipe, cohort: Cohort) -> None:
    turned = replace(recipe, features=("noise", "sugar"))
    assert turned.read("made-up", "").features == ("noise", "sugar")
    with pytest.raises(CohortUnusable, match="no column for waist"):
        replace(recipe, features=("noise", "waist")).read("made-up", "")


def test_a_source_may_serve_every_recipe(recipe: Recipe, cohort: Cohort) -> None:
    recipes.offer("everywhere", lambda asked, data: cohort.checked(asked.features).where(cohort.period == data))
    assert recipe.read("everywhere", "1999-2000").summary()["periods"] == ["1999-2000"]
