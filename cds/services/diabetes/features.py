"""What the diabetes model looks at: one list and one function, the same in training and at the bedside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


# Limits: engineering limits to reject a value, not reference ranges.
FEATURES = (
    Feature(key="age", label="Age", unit="years", group=PERSON, modifiable=False, low=18, high=120),
    Feature(key="sex", label="Sex", unit="", group=PERSON, modifiable=False, low=0, high=1),
    Feature(key="bmi", label="BMI", unit="kg/m2", group=BODY, modifiable=True, low=10, high=100),
    Feature(key="waist", label="Waist", unit="cm", group=WAIST, modifiable=True, low=40, high=250),
    Feature(
        key="systolic", label="Systolic pressure", unit="mm[Hg]", group=PRESSURE, modifiable=True, low=50, high=300
    ),
    Feature(
        key="diastolic", label="Diastolic pressure", unit="mm[Hg]", group=PRESSURE, modifiable=True, low=20, high=200
    ),
    Feature(
        key="total_cholesterol",
        label="Total cholesterol",
        unit="mg/dL",
        group=LIPIDS,
        modifiable=True,
        low=50,
        high=1000,
    ),
    Feature(key="hdl", label="HDL cholesterol", unit="mg/dL", group=LIPIDS, modifiable=True, low=5, high=200),
    Feature(
        key="triglycerides", label="Triglycerides", unit="mg/dL", group=LIPIDS, modifiable=True, low=10, high=10000
    ),
    Feature(key="glucose", label="Glucose", unit="mg/dL", group=GLUCOSE, modifiable=True, low=20, high=1500),
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
