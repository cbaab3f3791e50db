"""A small made-up cohort, and a recipe that trains on it in a second."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from scoring import shelf
from scoring.cohorts import Cohort
from scoring.recipes import Mask, Recipe, Rival
from scoring.thresholds import NetBenefit
from scoring.training import Trained, train

PEOPLE = 1200


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    shelf.forget()
    yield
    shelf.forget()


@pytest.fixture(scope="session")
def cohort() -> Cohort:
    """The label depends on `sugar` strongly, on `girth` a little, on `noise` not at all."""
    draw = np.random.default_rng(7)
    rows = draw.normal(size=(PEOPLE, 3))
    margin = -1 + 2 * rows[:, 0] + 1.2 * rows[:, 1]
    label = draw.random(PEOPLE) < 1 / (1 + np.exp(-margin))
    rows[draw.random(PEOPLE) < 0.1, 1] = np.nan
    return Cohort(
        source="made up",
        sha256="0" * 64,
        features=("sugar", "girth", "noise"),
        person=np.arange(PEOPLE).astype(np.str_),
        rows=rows,
        label=label,
        period=np.array(["1999-2000", "2001-2002", "2003-2004"])[np.arange(PEOPLE) % 3],
        weight=np.ones(PEOPLE),
        subsample_weight=(np.arange(PEOPLE) % 2).astype(np.float64),
        groups={"town": np.array(["east", "west"])[np.arange(PEOPLE) // 2 % 2]},
    )


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory, cohort: Cohort) -> Recipe:
    def made_up(data: str) -> Cohort:
        return cohort

    return Recipe(
        name="made-up",
        model="made-up-risk",
        version="1.0.0",
        folder=tmp_path_factory.mktemp("plugin"),
        label="is ill",
        sources={"made-up": made_up},
        features=("sugar", "girth", "noise"),
        groups={"blood": ("sugar",), "tape": ("girth", "noise")},
        masks=(Mask(keys=("sugar",), share=0.5), Mask(keys=("girth", "noise"), share=0.5)),
        copies=3,
        monotone={"sugar": 1},
        params={"max_depth": 2, "eta": 0.2, "min_child_weight": 1},
        most_rounds=60,
        patience=10,
        folds=3,
        train_until="2001-2002",
        half_life_years=4,
        weight_power=1,
        threshold=NetBenefit(needless_per_case=1.5),
        trusted=(0.8, 1.25),
        resamples=40,
        rival=Rival(key="sugar", by="town"),
        describe=lambda early: {"people": len(early)},
        words={"The question": "Is this person ill?"},
    )


@pytest.fixture(scope="session")
def trained(recipe: Recipe, cohort: Cohort) -> Trained:
    return train(recipe, cohort, source="made-up", seed=1)
