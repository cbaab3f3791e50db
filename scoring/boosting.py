"""One XGBoost model of some people: who counts how much, what is hidden, how many trees. Same seed, same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scoring.cohorts import Cohort
from scoring.evaluate import Numbers
from scoring.recipes import Recipe
from scoring.splits import STOP, left_out

Params = Mapping[str, Any]


def fit(recipe: Recipe, people: Cohort, params: Params, *, seed: int) -> Any:
    """As many trees as serve people left out in turn best; then that many, grown on everybody."""
    rounds, _ = stop_early(recipe, people, params, seed=seed)
    return grow(recipe, people, params, rounds=rounds, seed=seed)


def stop_early(recipe: Recipe, people: Cohort, params: Params, *, seed: int) -> tuple[int, float]:
    """How many trees, and the mean log loss (nats) with that many, on people left out in turn."""
    from xgboost import cv

    parts = left_out(people, parts=recipe.folds, shuffle=STOP, seed=seed)
    copied = [np.tile(out, recipe.copies) for out in parts]
    history: Any = cv(
        _settings(recipe, people, params, seed=seed),
        _matrix(recipe, people, seed=seed),
        num_boost_round=recipe.most_rounds,
        folds=[(np.flatnonzero(~out), np.flatnonzero(out)) for out in copied],
        metrics="logloss",
        early_stopping_rounds=recipe.patience,
        as_pandas=False,
    )
    loss = np.array(history["test-logloss-mean"])
    return int(loss.argmin()) + 1, float(loss.min())


def grow(recipe: Recipe, people: Cohort, params: Params, *, rounds: int, seed: int) -> Any:
    """An XGBoost booster of these people."""
    from xgboost import train

    return train(_settings(recipe, people, params, seed=seed), _matrix(recipe, people, seed=seed), rounds)


def margins(booster: Any, people: Cohort) -> Numbers:
    """Log-odds, not yet calibrated."""
    from xgboost import DMatrix

    matrix = DMatrix(people.rows, feature_names=list(people.features), nthread=1)
    return np.asarray(booster.predict(matrix, output_margin=True), dtype=np.float64)


def _matrix(recipe: Recipe, people: Cohort, *, seed: int) -> Any:
    from xgboost import DMatrix

    return DMatrix(
        masked_copies(recipe, people.rows, seed=seed),
        np.tile(people.label, recipe.copies),
        weight=np.tile(weights(recipe, people), recipe.copies) / recipe.copies,  # copies make nobody count twice
        feature_names=list(recipe.features),
        nthread=1,
    )


def _settings(recipe: Recipe, people: Cohort, params: Params, *, seed: int) -> dict[str, Any]:
    return {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "nthread": 1,  # sums in a fixed order: same seed, same bytes
        "seed": seed,
        "base_score": float(np.average(people.label, weights=weights(recipe, people))),
        "monotone_constraints": {key: recipe.monotone.get(key, 0) for key in recipe.features},
        **params,
    }


def weights(recipe: Recipe, people: Cohort) -> Numbers:
    """The cohort's weight, tempered, and less for the older periods; mean 1."""
    weight = people.weight**recipe.weight_power
    if recipe.half_life_years is not None:
        year = np.array([float(period[:4]) for period in people.period])
        weight = weight * 0.5 ** ((year.max() - year) / recipe.half_life_years)
    return np.asarray(weight / weight.mean(), dtype=np.float64)


def masked_copies(recipe: Recipe, rows: Numbers, *, seed: int) -> Numbers:
    """The rows as they are, then `copies - 1` times with parts of the chart hidden."""
    return np.vstack([masked(recipe, rows, copy=copy, seed=seed) for copy in range(recipe.copies)])


def masked(recipe: Recipe, rows: Numbers, *, copy: int, seed: int) -> Numbers:
    """One copy, with each mask laid on its share of the rows; copy 0 is as they are."""
    if copy == 0:
        return rows
    draw, hidden = np.random.default_rng([seed, copy]), rows.copy()
    for mask in recipe.masks:
        which = np.flatnonzero(draw.random(len(rows)) < mask.share)
        columns = np.array([recipe.features.index(key) for key in mask.keys])
        hidden[np.ix_(which, columns)] = np.nan
    return hidden
