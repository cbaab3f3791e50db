"""How the diabetes model is trained: on people of NHANES whom nobody has told that they have diabetes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cds.services.diabetes.features import FEATURES, KEYS
from cds.services.diabetes.words import WORDS
from scoring.cohorts import Cohort, nhanes
from scoring.preparation import Preparation
from scoring.recipes import Mask, Recipe, Rival, recipe
from scoring.thresholds import NetBenefit

DIABETES_HBA1C = 6.5  # %; ADA Standards of Care, "Diagnosis and Classification"
NOT_TOLD = (0, 2)  # DIQ010: no, and "borderline"
FASTED_HOURS = 8  # ADA: no caloric intake for at least 8 hours
# mg/dL; what some publications throw out as outliers. Beyond the analyte's own limits a value is missing anyway.
GLUCOSE_LIMITS = (20, 400)


def undiagnosed(data: str | Path) -> Cohort:
    """Adults with an HbA1c, no diagnosis, neither insulin nor tablets.

    No answer about drugs counts as not taking any: the survey asks about tablets only those who said yes or
    borderline to diabetes, so among people without a diagnosis silence is the usual answer.
    """
    everyone = nhanes.read(data)
    asked = everyone.age.ge(18) & everyone.diabetes_told.isin(NOT_TOLD) & everyone.hba1c.notna()
    treated = everyone.takes_insulin.eq(1) | everyone.takes_tablets.eq(1)
    people = nhanes.post_stratify(everyone[asked & ~treated])
    fasting = np.where(people.fasting_hours.ge(FASTED_HOURS), "8 hours or more", "less or unknown")
    return nhanes.as_cohort(
        people,
        people.hba1c.ge(DIABETES_HBA1C),
        features=KEYS,
        row=FEATURES.row,
        sha256=nhanes.digest(data),
        groups={"fasting": fasting},
    )


DIABETES = recipe(
    Recipe(
        name="diabetes",
        model="diabetes-risk",
        version="1.1.0",
        folder=Path(__file__).parent,
        label="HbA1c >= 6.5 % now, in an adult without a diagnosis of diabetes",
        sources={"nhanes": undiagnosed},
        features=KEYS,
        groups=FEATURES.groups,
        # Each group is hidden in half of the copies, so that all 32 patterns are met equally often. Triglycerides go
        # by themselves as well: the survey has them only from those who came fasting, a chart for other reasons.
        masks=(
            *(Mask(keys=keys, share=0.5) for keys in FEATURES.groups.values()),
            Mask(keys=("triglycerides",), share=0.4),
        ),
        copies=8,
        # Where medicine knows the direction the model may not learn the opposite from noise.
        monotone={"age": 1, "bmi": 1, "waist": 1, "glucose": 1, "hdl": -1},
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
            "min_child_weight": (1, 2, 5, 10),
            "reg_lambda": (1, 2, 5, 10, 20),
        },
        trials=7,
        train_until="2009-2010",
        half_life_years=4,
        # An HbA1c costs little and harms hardly: nine of ten may be needless.
        threshold=NetBenefit(needless_per_case=9),
        rival=Rival(key="glucose", by="fasting"),
        describe=nhanes.peers,
        words=WORDS,
        preparation=Preparation(limits={"glucose": GLUCOSE_LIMITS}),
    )
)
