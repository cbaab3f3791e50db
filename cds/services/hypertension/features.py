"""What the hypertension model looks at: everything but the pressure itself, which is what it estimates."""

from __future__ import annotations

from cds import analytes
from cds.features import AGE_YEARS, SEX_AT_HAND, Features, measured

OLDEST_AGE = 80  # the survey prints every age above as 80 (85 before 2007), so the model knows no older person

FEATURES = Features(
    columns=(
        AGE_YEARS,
        SEX_AT_HAND,
        measured(analytes.BMI, "body"),
        measured(analytes.WAIST, "waist"),
        measured(analytes.TOTAL_CHOLESTEROL, "lipids"),
        measured(analytes.HDL, "lipids"),
        measured(analytes.TRIGLYCERIDES, "lipids"),
        measured(analytes.GLUCOSE, "glucose", label="Glucose"),
    ),
    oldest_age=OLDEST_AGE,
)
KEYS = FEATURES.keys
