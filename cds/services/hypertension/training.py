"""How the hypertension model is trained: on people of NHANES whom nobody has told that their pressure is high."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cds import analytes
from cds.services.hypertension import rules
from cds.services.hypertension.features import FEATURES, KEYS
from cds.services.hypertension.words import WORDS
from scoring.cohorts import Cohort, nhanes
from scoring.recipes import Mask, Recipe, Rival, recipe
from scoring.thresholds import NetBenefit

if TYPE_CHECKING:
    import pandas as pd

TOLD = {"hypertension_told": "hypertension_told"}  # BPQ020: has a doctor told you that you had high blood pressure?


def untold(data: str | Path) -> Cohort:
    """Adults whose pressure was measured and whom no doctor has told that it is high.

    The survey at hand does not say who takes drugs that lower the pressure for another reason.
    """
    everyone = nhanes.read(data, also=TOLD)
    asked = everyone.age.ge(18) & everyone.hypertension_told.eq(0) & measured(everyone)
    people = nhanes.post_stratify(everyone[asked])
    return nhanes.as_cohort(people, raised(people), features=KEYS, row=FEATURES.row, sha256=nhanes.digest(data))


def measured(table: pd.DataFrame) -> pd.Series[bool]:
    """Both numbers are there, plausible, and do not contradict each other."""
    plausible = [table[one.key].between(*one.plausible) for one in (analytes.SYSTOLIC, analytes.DIASTOLIC)]
    return np.logical_and.reduce([*plausible, table.systolic.gt(table.diastolic)])


def raised(table: pd.DataFrame) -> pd.Series[bool]:
    return table.systolic.ge(rules.RAISED_SYSTOLIC) | table.diastolic.ge(rules.RAISED_DIASTOLIC)


HYPERTENSION = recipe(
    Recipe(
        name="hypertension",
        model="hypertension-risk",
        version="1.0.0",
        folder=Path(__file__).parent,
        label="blood pressure of 140/90 mmHg or more now, in an adult whom nobody has told of high pressure",
        sources={"nhanes": untold},
        features=KEYS,
        groups=FEATURES.groups,
        # Each group is hidden in half of the copies, so that all 16 patterns are met equally often; triglycerides by
        # themselves as well: the survey has them only from those who came fasting, a chart for other reasons.
        masks=(
            *(Mask(keys=keys, share=0.5) for keys in FEATURES.groups.values()),
            Mask(keys=("triglycerides",), share=0.4),
        ),
        copies=6,
        # Where medicine knows the direction the model may not learn the opposite from noise.
        monotone={"age": 1, "bmi": 1, "waist": 1},
        params={
            "max_depth": 3,
            "eta": 0.05,
            "subsample": 0.7,
            "colsample_bytree": 0.8,
            "min_child_weight": 5,
            "reg_lambda": 5,
        },
        space={
            "max_depth": (2, 3, 4, 5),
            "eta": (0.03, 0.05, 0.08),
            "subsample": (0.5, 0.7, 0.9),
            "colsample_bytree": (0.4, 0.6, 0.8, 1.0),
            "min_child_weight": (1, 2, 5, 10, 50),
            "reg_lambda": (1, 2, 5, 10, 20),
        },
        trials=5,
        train_until="2009-2010",
        half_life_years=4,
        # To measure a pressure costs minutes and hardly harms: nine of ten may be needless.
        threshold=NetBenefit(needless_per_case=9),
        rival=Rival(key="age"),
        describe=nhanes.peers,
        words=WORDS,
    )
)
