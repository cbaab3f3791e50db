"""Recipes that no service uses: they show that a source goes all the way from its tables to a model with its card."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from scoring.cohorts import mimic3
from scoring.recipes import Recipe, Rival, recipe
from scoring.thresholds import AlertsPer100

_LABORATORY = (
    *("glucose", "creatinine", "urea_nitrogen", "sodium", "potassium", "bicarbonate"),
    *("hemoglobin", "white_cells", "platelets"),
)
_STATISTICS = ("first", "last", "min", "max", "mean")
WORDS = {
    "The question": (
        "Will this hospital stay be billed with a diagnosis of diabetes (ICD-9-CM 250.xx)? Asked of MIMIC-III at the "
        "admission (source `mimic3`: the 72 hours before it) or after three days (source `mimic3-stay`)."
    ),
    "Not for": (
        "Anybody's care. No service asks this model and none is shipped. A billing code at the end of a stay says "
        "that somebody knew of the disease, not that nobody did; and whoever lies in intensive care has a high glucose "
        "for many reasons. This is a harder and another question than the one that the survey answers."
    ),
    "Limits": (
        "Ethnicity is reported on and is no feature. On the open demo (129 admissions of 100 people who all died) every "
        "figure is noise, and with most seeds training refuses: nothing rises with the label. With `--seed 1` after three "
        "days and `--seed 4` at the admission it goes through, which shows that the way from PostgreSQL to a model card is "
        "whole, and nothing else."
    ),
}

MIMIC3 = recipe(
    Recipe(
        name="mimic3-diabetes",
        model="mimic3-diabetes",
        version="0.1.0",
        folder=Path(settings.HOME) / "demonstrations" / "mimic3-diabetes",
        label="the stay is billed with a diagnosis of diabetes (ICD-9-CM 250.xx)",
        sources={"mimic3": mimic3.before_admission, "mimic3-stay": mimic3.first_three_days},
        features=(
            *("age", "male", "emergency"),
            *(f"{analyte}_{statistic}" for analyte in _LABORATORY for statistic in _STATISTICS),
        ),
        threshold=AlertsPer100(at_most=20),
        words=WORDS,
        params={"max_depth": 2, "eta": 0.05, "min_child_weight": 2, "subsample": 0.8},
        most_rounds=200,
        rival=Rival(key="glucose_max"),
    )
)
