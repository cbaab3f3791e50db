"""MIMIC-III, the intensive care database of a Boston hospital (Johnson et al., Sci Data 2016;3:160035), as a cohort.

A row is an adult's hospital stay; the label, a diagnosis code of diabetes (ICD-9 250.xx), is known only when the stay is
billed. Features come from a window that ends at the index time, strictly before it; who has left or died by then is not
in the cohort. Names there are none; dates are shifted per patient, so only distances between them mean anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.cohorts import Cohort, Numbers, content_hash, texts
from scoring.cohorts.checks import refuse
from scoring.cohorts.mimic3_measures import KEYS, MEASURES
from scoring.cohorts.mimic3_sql import ALWAYS, MEASUREMENTS, STAYS, TABLES, holes
from scoring.cohorts.tables import Tables, opened
from scoring.cohorts.windows import STATISTICS, statistics

SOURCE = "MIMIC-III"
SCHEMA = "mimiciii"  # of the MIMIC Code Repository's build scripts
ADULT = 18
# PATIENTS: whoever is older than 89 at the first admission is given a date of birth 300 years before it. Their age is a
# class, "90 or more", so it gets that class's lower end, as does everyone who turns 90 later.
OLDEST_AGE = 90
ADMISSION_TYPES = ("EMERGENCY", "ELECTIVE", "URGENT")
ORIGINS = ("WHITE", "BLACK", "HISPANIC", "ASIAN")  # what the many values of ADMISSIONS.ethnicity begin with
AGE_BANDS = {18: "18-44", 45: "45-64", 65: "65-79", 80: "80+"}
DAY = 86_400.0  # seconds; slopes are per day


@dataclass(frozen=True, kw_only=True)
class Window:
    """Hours from the admission; `end` is the index time.

    LABEVENTS tells when blood was drawn and not when the result was there, so a result counts only if it was drawn
    `result_hours` before the index: an hour is what laboratories aim at for urgent tests.
    """

    start: int
    end: int
    result_hours: int = 1


BEFORE_ADMISSION = Window(start=-72, end=0)
FIRST_THREE_DAYS = Window(start=0, end=72)


def before_admission(data: str) -> Cohort:
    """At the admission, from the 72 hours before it: results of the emergency room and of clinics."""
    return stays(data, window=BEFORE_ADMISSION)


def first_three_days(data: str) -> Cohort:
    """72 hours after the admission, of those who are still there."""
    return stays(data, window=FIRST_THREE_DAYS)


def stays(data: str, *, window: Window, with_ethnicity: bool = False) -> Cohort:
    """`data`: the folder of the CSV files, or postgres://... Ethnicity is for monitoring unless switched on as a feature."""
    with opened(data, TABLES, schema=SCHEMA) as tables:
        _refuse_holes(tables)
        people = [row for batch in tables.batches(STAYS, [window.end]) for row in batch]
        adults = [(row, age) for row in people if (age := age_in_years(row[3], row[4])) >= ADULT]
        measured = _measured(tables, window, [row[0] for row, _ in adults])
    return _cohort(adults, measured, with_ethnicity=with_ethnicity)


def _refuse_holes(tables: Tables) -> None:
    for table, columns in ALWAYS.items():
        [[(*empty, again)]] = tables.batches(holes(table))
        refuse(f"the table {table} has empty cells in", [name for name, n in zip(columns, empty, strict=True) if n])
        refuse(f"the table {table} has rows of the same", columns[:1] if again else [])


def age_in_years(born: datetime, at: datetime) -> int:
    """Whole years, `OLDEST_AGE` at most."""
    years = at.year - born.year - ((at.month, at.day) < (born.month, born.day))
    return min(years, OLDEST_AGE)


def _measured(tables: Tables, window: Window, stays: Sequence[int]) -> dict[str, Numbers]:
    """Feature -> a value for each stay."""
    ids = np.array(stays, dtype=np.float64)
    found = np.concatenate([np.empty((0, 4)), *_arrays(tables, window)])
    known = found[np.isin(found[:, 0], ids)]
    group = np.searchsorted(ids, known[:, 0]) * len(MEASURES) + known[:, 1].astype(np.int64)
    figures = statistics(group, known[:, 2] / DAY, known[:, 3], groups=len(ids) * len(MEASURES))
    columns = {name: column.reshape(len(ids), len(MEASURES)) for name, column in figures.items()}
    by_name = {f"{key}_{name}": columns[name][:, place] for place, key in enumerate(KEYS) for name in STATISTICS}
    return {**by_name, **_bmi(by_name)}


def _arrays(tables: Tables, window: Window) -> Iterator[Numbers]:
    """Rows of (stay, measure, seconds since the admission, value)."""
    hours = [window.start, window.end, window.end - window.result_hours]
    for batch in tables.batches(MEASUREMENTS, hours):
        yield np.array(batch, dtype=np.float64)


def _bmi(columns: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """Of each weight, with the last height of the window."""
    square = (columns["height_last"] / 100) ** 2
    return {f"bmi_{name}": columns[f"weight_{name}"] / square for name in STATISTICS}


def _cohort(
    people: Sequence[tuple[tuple[Any, ...], int]], measured: Mapping[str, Numbers], *, with_ethnicity: bool
) -> Cohort:
    age = np.array([age for _, age in people], dtype=np.float64)
    male = np.array([row[2] == "M" for row, _ in people], dtype=np.bool_)
    kind = [row[5] for row, _ in people]
    origin = [_origin(row[6]) for row, _ in people]
    columns = {"age": age, "male": male, **_one_hot(kind, ADMISSION_TYPES), **measured}
    columns |= _one_hot(origin, ORIGINS) if with_ethnicity else {}
    rows = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns.values()])
    label = np.array([row[7] for row, _ in people], dtype=np.bool_)
    return Cohort(
        source=SOURCE,
        sha256=content_hash(rows, label),
        features=tuple(columns),
        rows=rows,
        label=label,
        person=texts(_pseudonym(row[1]) for row, _ in people),
        repeats=True,
        groups={
            "sex": np.where(male, "male", "female"),
            "age": texts(_band(one) for _, one in people),
            "ethnicity": texts(name.lower() for name in origin),
            "admission": texts(name.lower() for name in kind),
        },
    )


def _one_hot(found: Sequence[str], known: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    return {name.lower(): np.array([one == name for one in found], dtype=np.bool_) for name in known}


def _origin(ethnicity: str | None) -> str:
    return next((name for name in ORIGINS if (ethnicity or "").startswith(name)), "OTHER OR UNKNOWN")


def _band(age: int) -> str:
    return next(name for low, name in reversed(AGE_BANDS.items()) if age >= low)


def _pseudonym(subject_id: int) -> str:
    """Tells people apart and says nothing else of them; it is not written down anywhere."""
    return hashlib.blake2b(f"{SOURCE} {subject_id}".encode(), digest_size=16).hexdigest()
