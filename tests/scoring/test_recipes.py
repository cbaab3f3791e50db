"""Recipes register themselves, once each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scoring import recipes
from scoring.errors import RecipeMissing
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
        recipe.source("nhanes")
