"""NHANES, the examination survey of the USA (CDC/NCHS, public domain), as a table under our names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.cohorts import Cohort, Texts
from scoring.cohorts.checks import refuse, refuse_missing
from scoring.errors import CohortUnusable

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "CDC/NCHS NHANES"
COLUMNS = {
    "seqn": "person",
    "cycle": "cycle",
    "age_years": "age",
    "gender": "gender",
    "ethnicity": "ethnicity",
    "bmi_kg_m2": "bmi",
    "waist_cm": "waist",
    "sbp_mmhg": "systolic",
    "dbp_mmhg": "diastolic",
    "total_chol_mg_dl": "total_cholesterol",
    "hdl_mg_dl": "hdl",
    "triglycerides_mg_dl": "triglycerides",
    "glucose_serum_mg_dl": "glucose",
    "fasting_hours": "fasting_hours",
    "hba1c_pct": "hba1c",
    "diabetes_told": "diabetes_told",
    "takes_insulin": "takes_insulin",
    "takes_oral_diabetes_med": "takes_tablets",
    "weight_fasting_subsample": "subsample_weight",
}
WORDS = ("cycle", "gender", "ethnicity")  # every other column holds numbers
OF_EVERYBODY = ("seqn", "age_years", *WORDS)
CELL_AGES = (17, 29, 39, 49, 59, 69, 200)
PEER_AGES = (18, 40, 50, 60, 70)  # lower ends; narrower bands would rest on a handful of cases
REPORT_AGES = {18: "18-39", 40: "40-59", 60: "60-74", 75: "75+"}
OLDEST_AGE = 80  # the survey prints every age above as 80 (85 before 2007)
OLDEST_PERSON = 120  # closes the last band
FEWEST_PEERS = 200
SEXES = (("male", 1.0), ("female", 0.0))


def find(data: str | Path) -> Path:
    """The table itself, or the only one in that folder."""
    path = Path(data)
    found = [path] if path.is_file() else sorted(path.glob("nhanes_adults_*.parquet"))
    if len(found) != 1:
        raise CohortUnusable(f"expected one nhanes_adults_*.parquet, found {len(found)}")
    return found[0]


def digest(data: str | Path) -> str:
    return hashlib.sha256(find(data).read_bytes()).hexdigest()


def read(data: str | Path, *, also: Mapping[str, str] | None = None) -> pd.DataFrame:
    """All adults, with `sex` as a number. `also`: further columns of the survey, with the names that they get."""
    import pandas as pd

    file = find(data)
    try:
        table = pd.read_parquet(file)
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise CohortUnusable(f"{file.name} is not a parquet file that can be read") from error
    columns = {**COLUMNS, **(also or {})}
    refuse_missing(table.columns, needed=columns, where=file.name)
    _refuse_unreadable(table[list(columns)], where=file.name)
    table = table[list(columns)].rename(columns=columns)
    table["sex"] = table.gender.map(dict(SEXES))
    table["subsample_weight"] = table.subsample_weight.fillna(0.0)
    return table


def _refuse_unreadable(table: pd.DataFrame, *, where: str) -> None:
    """Words among numbers, infinities (an infinite HbA1c would be a case), and people of whom nobody knows who they are."""
    from pandas.api.types import is_numeric_dtype

    numbers = table.drop(columns=list(WORDS))
    known = numbers.loc[:, numbers.notna().any()]
    refuse(f"{where} has words among the numbers in", [name for name in known if not is_numeric_dtype(known[name])])
    infinite = np.isinf(known.to_numpy(dtype=np.float64, na_value=np.nan)).any(axis=0)
    refuse(f"{where} has infinite values in", known.columns[infinite].tolist())
    refuse(f"{where} does not say of everybody", [name for name in OF_EVERYBODY if table[name].isna().any()])


def post_stratify(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `weight`: how many people of the nation each row stands for, mean 1 in each cycle.

    The survey draws some groups on purpose more often than others. Its own weight is in our table only for the half
    that came fasting, so everyone gets the weight that this half carries in his or her cell of cycle, sex, age band
    and ethnicity, shared among all of the cell.
    """
    import pandas as pd

    cell = [table.cycle, table.gender, pd.cut(table.age, CELL_AGES, labels=False), table.ethnicity]
    weights = table.subsample_weight.groupby(cell).transform("mean")
    return table.assign(weight=weights / weights.groupby(table.cycle).transform("mean"))


def as_cohort(
    table: pd.DataFrame,
    label: pd.Series[bool],
    *,
    features: Sequence[str],
    row: Callable[[Mapping[str, float | None]], Sequence[float]],
    sha256: str,
    groups: Mapping[str, Texts] | None = None,
) -> Cohort:
    """People with their `weight` as a cohort; `row` is the one of the bedside. `groups`: more of them to report by."""
    records = table[list(features)].astype(object).where(table[list(features)].notna(), None).to_dict("records")
    bands = np.array(list(REPORT_AGES))
    return Cohort(
        source=SOURCE,
        sha256=sha256,
        features=tuple(features),
        person=table.person.to_numpy().astype(np.str_),
        rows=np.array([row(record) for record in records], dtype=np.float64).reshape(len(records), len(features)),
        label=label.to_numpy(dtype=np.bool_),
        period=table.cycle.to_numpy(dtype=np.str_),
        weight=table.weight.to_numpy(dtype=np.float64),
        subsample_weight=table.subsample_weight.to_numpy(dtype=np.float64),
        groups={
            "ethnicity": table.ethnicity.to_numpy(dtype=np.str_),
            "sex": table.gender.to_numpy(dtype=np.str_),
            "age": np.array([REPORT_AGES[int(bands[bands <= age].max())] for age in table.age], dtype=np.str_),
            **(groups or {}),
        },
    )


def peers(cohort: Cohort) -> dict[str, Any]:
    """How common the label is among people of one sex and age, weighted to the nation."""
    age, sex = (cohort.rows[:, cohort.features.index(key)] for key in ("age", "sex"))
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
