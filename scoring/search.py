"""The settings of XGBoost: a bounded, seeded search among those that the recipe offers, which may be interrupted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from scoring import boosting
from scoring.cohorts import Cohort
from scoring.journal import Journal
from scoring.progress import steps
from scoring.recipes import Recipe


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Settings, and how they do on people left out in turn."""

    params: Mapping[str, Any]
    rounds: int
    loss: float  # mean log loss, nats


def search(recipe: Recipe, people: Cohort, *, seed: int, journal: Journal) -> list[Trial]:
    """All trials, the best first; the recipe's own settings are the first trial and win a tie."""
    trials = [
        Trial(params=params, **journal.once(params, partial(_tried, recipe, people, params, seed=seed)))
        for params in steps(candidates(recipe, seed=seed), doing="Settings")
    ]
    return sorted(trials, key=lambda trial: trial.loss)


def candidates(recipe: Recipe, *, seed: int) -> Sequence[Mapping[str, Any]]:
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    space = {key: list(values) for key, values in recipe.space.items()}
    drawn = ParameterSampler(space, min(recipe.trials, len(ParameterGrid(space))), random_state=seed) if space else []
    return [recipe.params, *({**recipe.params, **each} for each in drawn)]


def _tried(recipe: Recipe, people: Cohort, params: Mapping[str, Any], *, seed: int) -> dict[str, Any]:
    rounds, loss = boosting.stop_early(recipe, people, params, seed=seed)
    return {"rounds": rounds, "loss": loss}
