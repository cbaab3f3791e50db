"""How the diabetes model is trained: on people of NHANES whom nobody has told that they have diabetes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cds.services.diabetes.features import FEATURES, FEMALE, GLUCOSE, GROUPS, KEYS, MALE, OLDEST_AGE, row
from cds.services.diabetes.words import WORDS
from scoring.cohorts import Cohort, nhanes
from scoring.preparation import Preparation
from scoring.recipes import Mask, Recipe, Rival, recipe
from scoring.thresholds import NetBenefit

if TYPE_CHECKING:
    import pandas as pd

DIABETES_HBA1C = 6.5  # %; ADA Standards of Care, "Diagnosis and Classification"
NOT_TOLD = (0, 2)  # DIQ010: no, and "borderline"
FASTED_HOURS = 8  # ADA: no caloric intake for at least 8 hours
# mg/dL; what some publications throw out as outliers. Beyond the analyte's own limits a value is missing anyway.
GLUCOSE_LIMITS = (20, 400)
PEER_AGES = (18, 40, 50, 60, 70)  # lower ends; narrower bands would rest on a handful of cases
REPORT_AGES = {18: "18-39", 40: "40-59", 60: "60-74", 75: "75+"}
OLDEST_PERSON = 120  # closes the last band
FEWEST_PEERS = 200
SEXES = (("male", MALE), ("female", FEMALE))


def undiagnosed(data: str | Path) -> Cohort:
    """Adults with an HbA1c, no diagnosis, neither insulin nor tablets.

    No answer about drugs counts as not taking any: the survey asks about tablets only those who said yes or
    borderline to diabetes, so among people without a diagnosis silence is the usual answer.
    """
    everyone = nhanes.read(data)
    asked = everyone.age.ge(18) & everyone.diabetes_told.isin(NOT_TOLD) & everyone.hba1c.notna()
    treated = everyone.takes_insulin.eq(1) | everyone.takes_tablets.eq(1)
    return as_cohort(nhanes.post_stratify(everyone[asked & ~treated]), sha256=nhanes.digest(data))


def as_cohort(table: pd.DataFrame, *, sha256: str) -> Cohort:
    records = table[list(KEYS)].astype(object).where(table[list(KEYS)].notna(), None).to_dict("records")
    bands = np.array(list(REPORT_AGES))
    return Cohort(
        source=nhanes.SOURCE,
        sha256=sha256,
        features=KEYS,
        person=table.person.to_numpy().astype(np.str_),
        rows=np.array([row(record) for record in records], dtype=np.float64),
        label=table.hba1c.ge(DIABETES_HBA1C).to_numpy(dtype=np.bool_),
        period=table.cycle.to_numpy(dtype=np.str_),
        weight=table.weight.to_numpy(dtype=np.float64),
        subsample_weight=table.subsample_weight.to_numpy(dtype=np.float64),
        groups={
            "ethnicity": table.ethnicity.to_numpy(dtype=np.str_),
            "sex": table.gender.to_numpy(dtype=np.str_),
            "age": np.array([REPORT_AGES[int(bands[bands <= age].max())] for age in table.age], dtype=np.str_),
            "fasting": np.where(table.fasting_hours.ge(FASTED_HOURS), "8 hours or more", "less or unknown"),
        },
    )


def peers(cohort: Cohort) -> dict[str, Any]:
    """How common the label is among people of one sex and age, weighted to the nation."""
    age, sex = cohort.rows[:, KEYS.index("age")], cohort.rows[:, KEYS.index("sex")]
    ends = [*PEER_AGES[1:], OLDEST_AGE + 1]
    bands = [(low, end, name, code) for low, end in zip(PEER_AGES, ends, strict=True) for name, code in SEXES]
    rows = []
    for low, end, name, code in bands:
        part = cohort.where((age >= low) & (age < end) & (sex == code))
        if len(part) >= FEWEST_PEERS:
            probability = float(np.average(part.label, weights=part.weight))
            high = end - 1 if end <= OLDEST_AGE else OLDEST_PERSON
            rows.append({"sex": name, "age_low": low, "age_high": high, "probability": probability, "n": len(part)})
    return {"peers": rows}


DIABETES = recipe(
    Recipe(
        name="diabetes",
        model="diabetes-risk",
        version="1.1.0",
        folder=Path(__file__).parent,
        label="HbA1c >= 6.5 % now, in an adult without a diagnosis of diabetes",
        sources={"nhanes": undiagnosed},
        features=KEYS,
        groups={group: tuple(feature.key for feature in FEATURES if feature.group == group) for group in GROUPS},
        # Each group is hidden in half of the copies, so that all 32 patterns are met equally often. Triglycerides go
        # by themselves as well: the survey has them only from those who came fasting, a chart for other reasons.
        masks=(
            *(
                Mask(keys=tuple(feature.key for feature in FEATURES if feature.group == group), share=0.5)
                for group in GROUPS
            ),
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
        rival=Rival(key=GLUCOSE, by="fasting"),
        describe=peers,
        words=WORDS,
        preparation=Preparation(limits={GLUCOSE: GLUCOSE_LIMITS}),
    )
)
