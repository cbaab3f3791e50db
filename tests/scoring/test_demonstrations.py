"""MIMIC-III goes all the way: from its tables to a model with its card. What the figures say of 75 people is noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from scoring import recipes
from scoring.cohorts.mimic3_sql import TABLES
from scoring.errors import CohortUnusable
from scoring.recipes import Recipe
from scoring.training import Trained, train
from tests.scoring.cohorts.test_mimic3 import DEMO, real_demo
from tests.scoring.cohorts.warehouse import postgres_only, warehouse

pytestmark = real_demo


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return replace(recipes.get("mimic3-diabetes"), resamples=50)


@pytest.fixture(scope="module")
def trained(recipe: Recipe) -> Trained:
    return train(recipe, recipe.read("mimic3-stay", str(DEMO)), source="mimic3-stay", seed=1)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with warehouse(DEMO, TABLES, schema="bedside_test_demonstrations") as url:
        yield url


def test_the_card_says_what_it_is_not_for(trained: Trained) -> None:
    assert trained.card.startswith("# mimic3-diabetes 0.1.0")
    assert "Anybody's care. No service asks this model" in trained.card


def test_whoever_trains_it_is_not_among_those_who_test_it(trained: Trained) -> None:
    people = [trained.facts[part]["people"] for part in ("trained_on", "validated_on")]
    assert sum(people) == 75


def test_where_nothing_rises_with_the_label_training_says_so(recipe: Recipe) -> None:
    with pytest.raises(CohortUnusable, match="there is nothing to calibrate"):
        train(recipe, recipe.read("mimic3", str(DEMO)), source="mimic3", seed=1)


@postgres_only
def test_postgresql_and_the_files_make_the_same_model(recipe: Recipe, trained: Trained, database: str) -> None:
    again = train(recipe, recipe.read("mimic3-stay", database), source="mimic3-stay", seed=1)
    assert (again.artefact, again.facts) == (trained.artefact, trained.facts)
