"""What the diabetes model looks at: one list, the same in training and at the bedside."""

from __future__ import annotations

from cds import analytes
from cds.features import AGE_YEARS, DIASTOLIC, SEX_AT_HAND, SYSTOLIC, Features, measured

OLDEST_AGE = 80  # the survey prints every age above as 80 (85 before 2007), so the model knows no older person

FEATURES = Features(
    columns=(
        AGE_YEARS,
        SEX_AT_HAND,
        measured(analytes.BMI, "body"),
        measured(analytes.WAIST, "waist"),
        SYSTOLIC,
        DIASTOLIC,
        measured(analytes.TOTAL_CHOLESTEROL, "lipids"),
        measured(analytes.HDL, "lipids"),
        measured(analytes.TRIGLYCERIDES, "lipids"),
        measured(analytes.GLUCOSE, "glucose", label="Glucose"),
    ),
    oldest_age=OLDEST_AGE,
)
KEYS = FEATURES.keys
