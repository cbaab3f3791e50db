"""What other choices would have come to is measured inside the training years, and class weights spoil calibration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scoring import comparisons
from scoring.cohorts import Cohort
from scoring.recipes import Recipe

PEOPLE = 6000


@pytest.fixture(scope="module")
def rare(cohort: Cohort) -> Cohort:
    """One in twelve or so has it."""
    draw = np.random.default_rng(8)
    rows = draw.normal(size=(PEOPLE, 3))
    label = draw.random(PEOPLE) < 1 / (1 + np.exp(4 - 1.5 * rows[:, 0] - rows[:, 1]))
    return Cohort(
        source=cohort.source,
        sha256=cohort.sha256,
        features=cohort.features,
        rows=rows,
        label=label,
        person=np.arange(PEOPLE).astype(np.str_),
        period=np.array(["1999-2000", "2001-2002"])[np.arange(PEOPLE) % 2],
    )


def test_class_weights_spoil_calibration_rank_no_better_and_platts_line_mends_them(
    recipe: Recipe, rare: Cohort
) -> None:
    found = comparisons.class_weights(replace(recipe, copies=1), rare, recipe.params, seed=1)
    rows = {(row["class_weight"], row["calibrated"]): row for row in found["rows"]}
    raw, weighted, mended = rows["none", False], rows["balanced", False], rows["balanced", True]
    assert 0.85 < raw["observed_expected"] < 1.15
    assert weighted["observed_expected"] < 0.5
    assert weighted["log_loss"] > raw["log_loss"] + 0.05
    assert weighted["auroc"] < raw["auroc"] + 0.01
    assert 0.8 < mended["observed_expected"] < 1.2


def test_the_newest_training_period_is_what_is_measured_on(recipe: Recipe, rare: Cohort) -> None:
    found = comparisons.class_weights(replace(recipe, copies=1), rare, recipe.params, seed=1)
    assert found["trained_on"]["periods"] == ["1999-2000"]
    assert found["measured_on"]["periods"] == ["2001-2002"]
