"""What the diabetes model looks at: one list and one function, the same in training and at the bedside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cds import analytes
from cds.analytes import Analyte

OLDEST_AGE = 80  # the survey prints every age above as 80 (85 before 2007), so the model knows no older person

PERSON, BODY, WAIST, PRESSURE, LIPIDS, GLUCOSE = "person", "body", "waist", "pressure", "lipids", "glucose"
GROUPS = (BODY, GLUCOSE, LIPIDS, PRESSURE, WAIST)  # what a chart has or lacks as a whole; age and sex it always has


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of the model. Outside `low`..`high` a value is an error of measurement or of typing."""

    key: str
    label: str
    unit: str
    group: str
    modifiable: bool
    low: float
    high: float

    def plausible(self, value: float) -> bool:
        return self.low <= value <= self.high


def _measured(analyte: Analyte, group: str, *, label: str = "") -> Feature:
    """Unit and plausible limits are the analyte's: the chart's reader and the model reject the same values."""
    low, high = analyte.plausible
    label = label or analyte.title
    return Feature(key=analyte.key, label=label, unit=analyte.unit, group=group, modifiable=True, low=low, high=high)


FEATURES = (
    Feature(key="age", label="Age", unit="years", group=PERSON, modifiable=False, low=18, high=120),
    Feature(key="sex", label="Sex", unit="", group=PERSON, modifiable=False, low=0, high=1),
    _measured(analytes.BMI, BODY),
    _measured(analytes.WAIST, WAIST),
    _measured(analytes.SYSTOLIC, PRESSURE),
    _measured(analytes.DIASTOLIC, PRESSURE),
    _measured(analytes.TOTAL_CHOLESTEROL, LIPIDS),
    _measured(analytes.HDL, LIPIDS),
    _measured(analytes.TRIGLYCERIDES, LIPIDS),
    _measured(analytes.GLUCOSE, GLUCOSE, label="Glucose"),
)
KEYS = tuple(feature.key for feature in FEATURES)
AGE, SEX, SYSTOLIC, DIASTOLIC = (KEYS.index(key) for key in ("age", "sex", "systolic", "diastolic"))
MALE, FEMALE = 1.0, 0.0


def row(values: Mapping[str, float | None]) -> list[float]:
    """The model's row. Missing and implausible become nan, as does a pressure whose two numbers contradict."""
    numbers = [_number(feature, values.get(feature.key)) for feature in FEATURES]
    numbers[AGE] = min(numbers[AGE], OLDEST_AGE) if not math.isnan(numbers[AGE]) else math.nan
    numbers[SEX] = numbers[SEX] if numbers[SEX] in (MALE, FEMALE) else math.nan
    if numbers[SYSTOLIC] <= numbers[DIASTOLIC]:
        numbers[SYSTOLIC] = numbers[DIASTOLIC] = math.nan
    return numbers


def _number(feature: Feature, value: float | None) -> float:
    return float(value) if value is not None and feature.plausible(value) else math.nan


def pattern(row: Sequence[float]) -> str:
    """The groups of which at least one value is there, as "body+glucose"; "" when there is none."""
    there = {feature.group for feature, number in zip(FEATURES, row, strict=True) if not math.isnan(number)}
    return "+".join(group for group in GROUPS if group in there)
