"""Train: a recipe and a cohort in, an artefact and the facts about it out. Same data and seed, same bytes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from scoring import boosting, calibration, comparisons, drift, preparation, preparations, thresholds
from scoring.cohorts import Cohort
from scoring.errors import RecipeUnusable
from scoring.files import write_whole
from scoring.journal import Journal
from scoring.model_card import render
from scoring.preparation import AS_THEY_ARE
from scoring.recipes import Recipe
from scoring.search import Trial, search
from scoring.shelf import Model, sha256
from scoring.splits import for_test
from scoring.validation import validate

DIGITS = 6
SETTINGS = ("params", "space", "trials", "most_rounds", "patience", "folds", "monotone", "train_until")
LIBRARIES = ("xgboost-cpu", "numpy", "scikit-learn", "pandas")


@dataclass(frozen=True, kw_only=True)
class Trained:
    artefact: bytes
    facts: Mapping[str, Any]
    card: str


def train(recipe: Recipe, cohort: Cohort, *, source: str, seed: int, journal: Journal | None = None) -> Trained:
    """Search, grow and calibrate on some people, measure on others; what was measured is what is shipped."""
    journal = Journal() if journal is None else journal
    if recipe.preparation.name != AS_THEY_ARE:
        raise RecipeUnusable(recipe.name, f"rows are not prepared ({recipe.preparation.name}) at the bedside")
    early, late = for_test(cohort, until=recipe.train_until, seed=seed)
    trials = search(recipe, early, seed=seed, journal=journal)
    best = trials[0]
    booster = boosting.grow(recipe, early, best.params, rounds=best.rounds, seed=seed)
    artefact = bytes(booster.save_raw("ubj"))
    facts = rounded(
        {
            **_identity(recipe, cohort, seed=seed),
            "source_name": source,
            "sha256": sha256(artefact),
            **_chosen(recipe, trials),
            **_calibration(recipe, early, best, seed=seed),
            **_people(recipe, early),
        }
    )
    model = Model(
        name=recipe.model,
        version=recipe.version,
        sha256=facts["sha256"],
        features=recipe.features,
        facts=facts,
        booster=booster,
    )
    measured = {
        "comparisons": _comparisons(recipe, early, best, seed=seed, journal=journal),
        "reference": _reference(model, early),
        **validate(recipe, model, late, threshold=facts["threshold"], seed=seed),
    }
    facts = rounded({**facts, **measured})
    return Trained(artefact=artefact, facts=facts, card=render(facts, words=recipe.words))


def fingerprint(recipe: Recipe, cohort: Cohort, *, seed: int) -> str:
    """The same for two runs of which one may go on where the other was interrupted."""
    declared = {**_identity(recipe, cohort, seed=seed), **{name: getattr(recipe, name) for name in SETTINGS}}
    code = [
        inspect.getsource(module).encode() for module in (boosting, calibration, comparisons, preparation, preparations)
    ]
    data = (cohort.rows, cohort.label, cohort.weight, cohort.period, cohort.person)
    parts = [json.dumps(declared, sort_keys=True).encode(), *code, *(column.tobytes() for column in data)]
    return sha256(b"".join(parts))[:16]


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
        "masks": [{"keys": list(mask.keys), "share": mask.share} for mask in recipe.masks],
        "copies": recipe.copies,
        "weight_power": recipe.weight_power,
        "half_life_years": recipe.half_life_years,
        "trusted_observed_expected": list(recipe.trusted),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def _chosen(recipe: Recipe, trials: list[Trial]) -> dict[str, Any]:
    return {
        "params": {**trials[0].params, "rounds": trials[0].rounds, "monotone": dict(recipe.monotone)},
        "search": {
            "space": {key: list(values) for key, values in recipe.space.items()},
            "folds": recipe.folds,
            "patience": recipe.patience,
            "trials": [asdict(trial) for trial in trials],
        },
    }


def _calibration(recipe: Recipe, early: Cohort, best: Trial, *, seed: int) -> dict[str, Any]:
    """Platt's line and the threshold, both from what models say of people whom they never saw."""
    margin = calibration.margins_of_strangers(recipe, early, best.params, seed=seed)
    weight = boosting.weights(recipe, early)
    line = calibration.platt(early.label, margin, weight)
    chosen = thresholds.choose(recipe.threshold, label=early.label, probability=line.straighten(margin), weight=weight)
    return {"calibration": asdict(line), **chosen}


def _people(recipe: Recipe, early: Cohort) -> dict[str, Any]:
    return {
        "trained_on": early.summary(),
        "medians": medians(early),
        **recipe.describe(early),
    }


def medians(people: Cohort) -> dict[str, float | None]:
    """Of the known values of each feature; None where nobody has any."""
    known = [column[~np.isnan(column)] for column in people.rows.T]
    return {
        name: float(np.median(values)) if len(values) else None
        for name, values in zip(people.features, known, strict=True)
    }


def _comparisons(recipe: Recipe, early: Cohort, best: Trial, *, seed: int, journal: Journal) -> dict[str, Any]:
    return {
        "class_weights": journal.once(
            {"compare": "class weights"}, lambda: comparisons.class_weights(recipe, early, best.params, seed=seed)
        ),
        "preparation": journal.once(
            {"compare": "preparation"}, lambda: comparisons.preparation(recipe, early, best, seed=seed)
        ),
    }


def _reference(model: Model, early: Cohort) -> dict[str, Any]:
    """What later rows and answers are held against, see scoring.drift."""
    answers = model.probabilities(early.rows)[:, np.newaxis]
    return drift.reference(early.rows, model.features) | drift.reference(answers, [drift.PROBABILITY])


def rounded(fact: Any) -> Any:
    """The same facts in sorted order with floats cut to what is worth printing: files differ only where results do."""
    if isinstance(fact, Mapping):
        return {key: rounded(fact[key]) for key in sorted(fact)}
    if isinstance(fact, list | tuple):
        return [rounded(value) for value in fact]
    return round(fact, DIGITS) if isinstance(fact, float) else fact


def write(trained: Trained, folder: Path) -> list[Path]:
    """`model/<name>.ubj`, `model/<name>.json` and MODEL_CARD.md in that folder, all or none."""
    artefact = folder / "model" / f"{trained.facts['name']}.ubj"
    facts = json.dumps(trained.facts, sort_keys=True, indent=1, allow_nan=False) + "\n"
    return write_whole(
        {
            artefact: trained.artefact,
            artefact.with_suffix(".json"): facts.encode(),
            folder / "MODEL_CARD.md": trained.card.encode(),
        }
    )
