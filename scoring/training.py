"""Train: a recipe and a cohort in, an artefact and the facts about it out. Same data and seed, same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.cohorts import Cohort
from scoring.model_card import render
from scoring.recipes import Recipe
from scoring.shelf import sha256
from scoring.validation import validate

DIGITS = 6
LIBRARIES = ("xgboost-cpu", "numpy", "scikit-learn", "pandas")


@dataclass(frozen=True, kw_only=True)
class Trained:
    artefact: bytes
    facts: Mapping[str, Any]
    card: str


def train(recipe: Recipe, cohort: Cohort, *, source: str, seed: int) -> Trained:
    """Fit on the early periods, measure on the later ones; what was measured is what is shipped."""
    early, late = cohort.split(recipe.train_until)
    booster = fit(recipe, early, seed=seed)
    artefact = bytes(booster.save_raw("ubj"))
    measured = validate(recipe, booster, late, seed=seed)
    facts = rounded(
        {**_identity(recipe, cohort, seed=seed), "source_name": source, **_training(recipe, early), **measured}
    )
    facts["sha256"] = sha256(artefact)
    return Trained(artefact=artefact, facts=facts, card=render(facts, words=recipe.words))


def fit(recipe: Recipe, cohort: Cohort, *, seed: int) -> Any:
    """An XGBoost booster that has seen every person `copies` times, with more or less of the chart."""
    from xgboost import DMatrix
    from xgboost import train as boost

    weight = weights(recipe, cohort)
    matrix = DMatrix(
        masked_copies(recipe, cohort.rows, seed=seed),
        np.tile(cohort.label, recipe.copies),
        weight=np.tile(weight, recipe.copies) / recipe.copies,  # copies make nobody count more than once
        feature_names=list(recipe.features),
        nthread=1,
    )
    return boost(_params(recipe, start=np.average(cohort.label, weights=weight), seed=seed), matrix, recipe.rounds)


def _params(recipe: Recipe, *, start: float, seed: int) -> dict[str, Any]:
    return {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "nthread": 1,  # sums in a fixed order: same seed, same bytes
        "seed": seed,
        "base_score": float(start),
        "monotone_constraints": {key: recipe.monotone.get(key, 0) for key in recipe.features},
        **recipe.params,
    }


def weights(recipe: Recipe, cohort: Cohort) -> NDArray[np.float64]:
    """The survey's weight, tempered, and less for the older periods; mean 1."""
    year = np.array([float(period[:4]) for period in cohort.period])
    weight = cohort.weight**recipe.weight_power * 0.5 ** ((year.max() - year) / recipe.half_life_years)
    return np.asarray(weight / weight.mean(), dtype=np.float64)


def masked_copies(recipe: Recipe, rows: NDArray[np.float64], *, seed: int) -> NDArray[np.float64]:
    """The rows as they are, then `copies - 1` times with each mask laid on its share of them."""
    draw = np.random.default_rng(seed)
    copies = [rows] + [rows.copy() for _ in range(recipe.copies - 1)]
    for copy in copies[1:]:
        for mask in recipe.masks:
            hidden = draw.random(len(rows)) < mask.share
            for key in mask.keys:
                copy[hidden, recipe.features.index(key)] = np.nan
    return np.vstack(copies)


def _identity(recipe: Recipe, cohort: Cohort, *, seed: int) -> dict[str, Any]:
    return {
        "name": recipe.model,
        "recipe": recipe.name,
        "version": recipe.version,
        "label": recipe.label,
        "features": list(recipe.features),
        "source": cohort.source,
        "source_sha256": cohort.sha256,
        "seed": seed,
        "params": {**recipe.params, "rounds": recipe.rounds, "monotone": dict(recipe.monotone)},
        "masks": [{"keys": list(mask.keys), "share": mask.share} for mask in recipe.masks],
        "copies": recipe.copies,
        "weight_power": recipe.weight_power,
        "half_life_years": recipe.half_life_years,
        "threshold": recipe.threshold,
        "trusted_observed_expected": list(recipe.trusted),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def _training(recipe: Recipe, early: Cohort) -> dict[str, Any]:
    medians = np.nanmedian(early.rows, axis=0)
    return {
        "trained_on": early.summary(),
        "medians": dict(zip(recipe.features, medians.tolist(), strict=True)),
        **recipe.describe(early),
    }


def rounded(fact: Any) -> Any:
    """The same facts in sorted order with floats cut to what is worth printing: files differ only where results do."""
    if isinstance(fact, Mapping):
        return {key: rounded(fact[key]) for key in sorted(fact)}
    if isinstance(fact, list | tuple):
        return [rounded(value) for value in fact]
    return round(fact, DIGITS) if isinstance(fact, float) else fact


def write(trained: Trained, folder: Path) -> list[Path]:
    """`model/<name>.ubj`, `model/<name>.json` and MODEL_CARD.md in that folder."""
    (folder / "model").mkdir(parents=True, exist_ok=True)
    artefact = folder / "model" / f"{trained.facts['name']}.ubj"
    facts, card = artefact.with_suffix(".json"), folder / "MODEL_CARD.md"
    artefact.write_bytes(trained.artefact)
    facts.write_text(json.dumps(trained.facts, sort_keys=True, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    card.write_text(trained.card, encoding="utf-8")
    return [artefact, facts, card]
