"""How a model is trained, declared by the plug-in that needs it in its `training` module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.module_loading import autodiscover_modules

from scoring.cohorts import Cohort
from scoring.errors import RecipeMissing
from scoring.preparation import Preparation
from scoring.thresholds import Threshold

Source = Callable[[str], Cohort]  # a path or an address


@dataclass(frozen=True, kw_only=True)
class Mask:
    """Hide these features together in this share of the copies, as a chart lacks them."""

    keys: tuple[str, ...]
    share: float


@dataclass(frozen=True, kw_only=True)
class Rival:
    """The simplest thing that could do the job: one feature by itself; compared in each value of a group too."""

    key: str
    by: str = ""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what comes out; with the same data and seed, the same bytes."""

    name: str
    model: str
    version: str
    folder: Path  # of the plug-in; model/ and MODEL_CARD.md are written there
    label: str
    sources: Mapping[str, Source]
    features: tuple[str, ...]
    threshold: Threshold
    words: Mapping[str, str]  # chapters of the model card

    # Of XGBoost. The search tries `params` first, then `trials` draws from `space`; the number of trees is found.
    params: Mapping[str, Any]
    space: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    trials: int = 0
    most_rounds: int = 1000
    patience: int = 30  # rounds without gain on people left out, after which no tree is added
    folds: int = 5  # parts of the people, each left out in turn, for the number of trees and for calibration
    monotone: Mapping[str, int] = field(default_factory=dict)  # 1: may only rise with the feature; -1: only fall

    # Who is trained on and how much each counts.
    train_until: str = ""  # the last period for training; "" where there is no time: then a quarter of the people tests
    half_life_years: float | None = None  # a person this much older than the newest training period counts half
    weight_power: float = 1.0  # 1 = the cohort's weights, 0 = none
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # features that a chart has or lacks together
    masks: tuple[Mask, ...] = ()
    copies: int = 1  # of each person, the first unmasked

    # What the comparison chose (scoring.preparations); its limits are those that it tries.
    preparation: Preparation = field(default_factory=Preparation)

    # What is measured.
    trusted: tuple[float, float] = (0.8, 1.25)  # observed/expected; outside the model abstains
    resamples: int = 1000  # for the 95 % intervals
    rival: Rival | None = None
    describe: Callable[[Cohort], Mapping[str, Any]] = lambda _: {}  # further facts of the people trained on

    def read(self, source: str, data: str) -> Cohort:
        """Its people, with its features in its order, fit to learn from; CohortUnusable says what is wrong with them."""
        if source in self.sources:
            return self.sources[source](data).checked(self.features)
        if source in _offered:
            return _offered[source](self, data).checked(self.features)
        raise RecipeMissing(f"{self.name} for source {source}", sorted({*self.sources, *_offered}))


_offered: dict[str, Callable[[Recipe, str], Cohort]] = {}


def offer(source: str, read: Callable[[Recipe, str], Cohort]) -> None:
    """Register a source that serves every recipe."""
    _offered[source] = read


_recipes: dict[str, Recipe] = {}


def recipe(declared: Recipe) -> Recipe:
    """Register. Two recipes of one name stop the start."""
    if _recipes.setdefault(declared.name, declared) is not declared:
        raise ValueError(f"two recipes are called {declared.name}")
    return declared


def get(name: str) -> Recipe:
    """The recipe of that name, from the `training` or `demonstrations` module of some installed app."""
    autodiscover_modules("training", "demonstrations")
    if name not in _recipes:
        raise RecipeMissing(name, sorted(_recipes))
    return _recipes[name]
