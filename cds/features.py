"""What a model looks at: its columns, in order, and one function that makes a row in training and at the bedside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cds import analytes
from cds.analytes import Analyte

PERSON = "person"  # the group of age and sex, which a chart always has
MALE, FEMALE = 1.0, 0.0
SEX = {"male": MALE, "female": FEMALE}
ADULT_YEARS, OLDEST_CREDIBLE_YEARS = 18, 120


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


AGE_YEARS = Feature(
    key="age",
    label="Age",
    unit="years",
    group=PERSON,
    modifiable=False,
    low=ADULT_YEARS,
    high=OLDEST_CREDIBLE_YEARS,
)
SEX_AT_HAND = Feature(key="sex", label="Sex", unit="", group=PERSON, modifiable=False, low=FEMALE, high=MALE)


def measured(analyte: Analyte, group: str, *, label: str = "") -> Feature:
    """Unit and plausible limits are the analyte's: the chart's reader and the model reject the same values."""
    low, high = analyte.plausible
    label = label or analyte.title
    return Feature(key=analyte.key, label=label, unit=analyte.unit, group=group, modifiable=True, low=low, high=high)


SYSTOLIC, DIASTOLIC = measured(analytes.SYSTOLIC, "pressure"), measured(analytes.DIASTOLIC, "pressure")


def contradict(systolic: float, diastolic: float) -> bool:
    """A pressure whose two numbers contradict each other is no pressure; nan contradicts nothing."""
    return systolic <= diastolic


@dataclass(frozen=True, kw_only=True)
class Features:
    """The columns in the model's order. `oldest_age`: the model knows no older person, who counts as one of that age."""

    columns: tuple[Feature, ...]
    oldest_age: int

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(column.key for column in self.columns)

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """What a chart has or lacks as a whole, by name in alphabetical order."""
        names = sorted({column.group for column in self.columns} - {PERSON})
        return {name: tuple(column.key for column in self.columns if column.group == name) for name in names}

    def row(self, values: Mapping[str, float | None]) -> list[float]:
        """Missing and implausible become nan, as does a pressure whose two numbers contradict."""
        known = dict(values)
        if contradict(self._number(SYSTOLIC, known), self._number(DIASTOLIC, known)):
            known |= {"systolic": None, "diastolic": None}
        return [self._number(column, known) for column in self.columns]

    def _number(self, column: Feature, values: Mapping[str, float | None]) -> float:
        value = values.get(column.key)
        if value is None or not column.plausible(value):
            return math.nan
        if column is SEX_AT_HAND and value not in (MALE, FEMALE):
            return math.nan
        return float(min(value, self.oldest_age) if column is AGE_YEARS else value)

    def pattern(self, row: Sequence[float]) -> str:
        """The groups of which at least one value is there, as "body+glucose"; "" when there is none."""
        there = {column.group for column, number in zip(self.columns, row, strict=True) if not math.isnan(number)}
        return "+".join(sorted(there - {PERSON}))
