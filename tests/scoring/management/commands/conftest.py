"""A table of made-up people in the survey's shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

CYCLES = ("2005-2006", "2007-2008", "2009-2010", "2011-2012")


@pytest.fixture(scope="session")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """800 people; those with a high glucose have the label."""
    folder = tmp_path_factory.mktemp("survey")
    draw = np.random.default_rng(11)
    size = 800
    glucose = draw.normal(100, 20, size)
    table = pd.DataFrame(
        {
            "seqn": np.arange(size),
            "cycle": np.array(CYCLES)[np.arange(size) % 4],
            "age_years": draw.integers(18, 86, size),
            "gender": np.array(["male", "female"])[draw.integers(0, 2, size)],
            "ethnicity": np.array(["one", "other"])[draw.integers(0, 2, size)],
            "bmi_kg_m2": draw.normal(28, 5, size),
            "waist_cm": draw.normal(97, 14, size),
            "sbp_mmhg": draw.normal(125, 15, size),
            "dbp_mmhg": draw.normal(70, 8, size),
            "total_chol_mg_dl": draw.normal(195, 35, size),
            "hdl_mg_dl": draw.normal(52, 12, size),
            "triglycerides_mg_dl": draw.normal(130, 30, size),
            "glucose_serum_mg_dl": glucose,
            "fasting_hours": draw.integers(0, 16, size).astype(float),
            "hba1c_pct": 5 + (glucose + draw.normal(0, 8, size) - 90) / 20,
            "diabetes_told": np.zeros(size),
            "takes_insulin": np.zeros(size),
            "takes_oral_diabetes_med": np.full(size, np.nan),
            "weight_fasting_subsample": np.where(np.arange(size) % 3 > 0, 50_000.0, np.nan),
        }
    )
    table.to_parquet(folder / "nhanes_adults_made_up.parquet")
    return folder
