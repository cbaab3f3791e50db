"""What other choices would have come to, measured inside the training years: the test years choose nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from scoring import boosting, evaluate, preparations
from scoring.boosting import Params
from scoring.calibration import Line, margins_of_strangers, platt
from scoring.cohorts import Cohort
from scoring.evaluate import Numbers
from scoring.recipes import Recipe
from scoring.search import Trial
from scoring.splits import for_comparison

FOLDS = 3  # a comparison need not be as exact as what is shipped
AS_IT_COMES = Line(slope=1.0, intercept=0.0)


def class_weights(recipe: Recipe, people: Cohort, params: Params, *, seed: int) -> dict[str, Any]:
    """Cases weighed as they come, and as heavy as all others together; each before and after Platt's line."""
    recipe = replace(recipe, folds=FOLDS)
    before, after = for_comparison(people, seed=seed)
    common = float((~before.label).sum() / before.label.sum())
    rows = []
    for name, weight in (("none", 1.0), ("balanced", common)):
        settings = {**params, "scale_pos_weight": weight}
        margin = boosting.margins(boosting.fit(recipe, before, settings, seed=seed), after)
        line = _line(recipe, before, settings, seed=seed)
        rows += [
            {"class_weight": name, "calibrated": calibrated, **_figures(after, straight.straighten(margin))}
            for calibrated, straight in ((False, AS_IT_COMES), (True, line))
        ]
    return {"trained_on": before.summary(), "measured_on": after.summary(), "rows": rows}


def preparation(recipe: Recipe, people: Cohort, trial: Trial, *, seed: int) -> dict[str, Any]:
    """All ways to handle outliers with all ways to fill what is missing, rows left as they are first."""
    before, after = for_comparison(people, seed=seed)
    once = replace(recipe, copies=1)  # the copies are made here, each with its own imputation

    def grow(copies: Cohort) -> preparations.Predict:
        booster = boosting.grow(once, copies, trial.params, rounds=trial.rounds, seed=seed)
        return lambda rows: evaluate.sigmoid(boosting.margins(booster, after.with_rows(rows)))

    found = preparations.compare(
        preparations.every(recipe.preparation.limits),
        before,
        after,
        grow=grow,
        hide=lambda rows, copy: boosting.masked(recipe, rows, copy=copy, seed=seed),
        copies=recipe.copies,
        seed=seed,
    )
    return {"trained_on": before.summary(), "measured_on": after.summary(), **found}


def _line(recipe: Recipe, people: Cohort, params: Params, *, seed: int) -> Line:
    margin = margins_of_strangers(recipe, people, params, seed=seed)
    return platt(people.label, margin, boosting.weights(recipe, people))


def _figures(people: Cohort, probability: Numbers) -> dict[str, float | None]:
    """Each person counts once. No slope where everybody is told the same."""
    once, safe = np.ones(len(people)), np.clip(probability, 1e-12, 1 - 1e-12)
    tally = evaluate.Ranking(people.label, probability).tally(once)
    _, slope = evaluate.calibration_line(people.label, evaluate.log_odds(safe))(once).tolist()
    return {
        "auroc": float(evaluate.area_under_roc(tally)),
        "average_precision": float(evaluate.average_precision(tally)),
        "observed_expected": float(evaluate.observed_expected(people.label, probability)(once)),
        "calibration_slope": slope if math.isfinite(slope) else None,
        "brier": float(evaluate.brier(people.label, probability)(once)),
        "log_loss": float(-np.mean(np.log(np.where(people.label, safe, 1 - safe)))),
    }
