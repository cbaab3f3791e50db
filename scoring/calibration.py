"""Platt's line through the log-odds, drawn on people whom no tree had seen.

Each part of the people is left out in turn, a model is made of the others from scratch, its number of trees included,
and asked about those left out. So everybody calibrates and nobody is judged by a model that knows him; a share set
apart once and for all would have to be large to hold enough cases. Platt, Probabilistic outputs for support vector
machines (1999); Niculescu-Mizil & Caruana, ICML 2005 (three-fold, the same way).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring import boosting, evaluate
from scoring.boosting import Params
from scoring.cohorts import Cohort
from scoring.errors import CohortUnusable
from scoring.evaluate import Labels, Numbers
from scoring.progress import steps
from scoring.recipes import Recipe
from scoring.splits import CALIBRATE, left_out


@dataclass(frozen=True, kw_only=True)
class Line:
    """margin' = slope * margin + intercept, in log-odds."""

    slope: float
    intercept: float

    def straighten(self, margin: Numbers) -> Numbers:
        """The probabilities that the line makes of log-odds."""
        return evaluate.sigmoid(self.slope * margin + self.intercept)


def platt(label: Labels, margin: Numbers, weight: Numbers) -> Line:
    """The line under which the truth is likeliest. Contributions add up only if it rises; else CohortUnusable."""
    intercept, slope = evaluate.calibration_line(label, margin)(weight).tolist()
    if not slope > 0:
        raise CohortUnusable("log-odds do not rise with the label on people left out: there is nothing to calibrate")
    return Line(slope=slope, intercept=intercept)


def margins_of_strangers(recipe: Recipe, people: Cohort, params: Params, *, seed: int) -> Numbers:
    """Log-odds of everybody, each from a model that never saw the person; the rows as recorded, nothing hidden."""
    margin = np.empty(len(people))
    parts = left_out(people, parts=recipe.folds, shuffle=CALIBRATE, seed=seed)
    for out in steps(parts, doing="Calibration"):
        others = boosting.fit(recipe, people.where(~out), params, seed=seed)
        margin[out] = boosting.margins(others, people.where(out))
    return margin
