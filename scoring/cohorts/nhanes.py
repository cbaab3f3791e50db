"""NHANES, the examination survey of the USA (CDC/NCHS, public domain), as a table under our names."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from scoring.cohorts.checks import refuse_missing
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
CELL_AGES = (17, 29, 39, 49, 59, 69, 200)


def find(data: str | Path) -> Path:
    """The table itself, or the only one in that folder."""
    path = Path(data)
    found = [path] if path.is_file() else sorted(path.glob("nhanes_adults_*.parquet"))
    if len(found) != 1:
        raise CohortUnusable(f"expected one nhanes_adults_*.parquet, found {len(found)}")
    return found[0]


def digest(data: str | Path) -> str:
    return hashlib.sha256(find(data).read_bytes()).hexdigest()


def read(data: str | Path) -> pd.DataFrame:
    """All adults, with `sex` as a number and `weight`, see `post_stratify`."""
    import pandas as pd

    file = find(data)
    try:
        table = pd.read_parquet(file)
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise CohortUnusable(f"{file.name} is not a parquet file that can be read") from error
    refuse_missing(table.columns, needed=COLUMNS, where=file.name)
    table = table[list(COLUMNS)].rename(columns=COLUMNS)
    table["sex"] = table.gender.map({"male": 1.0, "female": 0.0})
    table["subsample_weight"] = table.subsample_weight.fillna(0.0)
    return table


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
