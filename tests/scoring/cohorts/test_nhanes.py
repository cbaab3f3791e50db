"""The survey's table under our names, and weights that stand for the nation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from scoring.cohorts import nhanes
from scoring.errors import CohortUnusable


def people(**columns: Sequence[object]) -> pd.DataFrame:
    size = len(columns["subsample_weight"])
    plain: dict[str, Sequence[object]] = {
        "cycle": ["1999-2000"] * size,
        "gender": ["male"] * size,
        "age": [30] * size,
        "ethnicity": ["one"] * size,
    }
    return pd.DataFrame(plain | columns)


def test_those_who_did_not_fast_share_the_weight_of_their_cell() -> None:
    table = people(subsample_weight=[100.0, 0.0, 300.0, 0.0], ethnicity=["one", "one", "other", "other"])
    assert nhanes.post_stratify(table).weight.tolist() == [0.5, 0.5, 1.5, 1.5]


def test_each_cycle_weighs_the_same() -> None:
    table = people(subsample_weight=[100.0, 300.0, 10.0, 30.0], cycle=["1999-2000"] * 2 + ["2001-2002"] * 2)
    weighted = nhanes.post_stratify(table.assign(gender=["male", "female"] * 2))
    assert weighted.weight.tolist() == [0.5, 1.5, 0.5, 1.5]


def test_the_oldest_and_the_youngest_have_a_cell() -> None:
    table = people(subsample_weight=[1.0, 1.0, 1.0], age=[18, 85, 80])
    assert nhanes.post_stratify(table).weight.notna().all()


def test_a_folder_without_the_table_or_with_two_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(CohortUnusable, match="found 0"):
        nhanes.find(tmp_path)
    for name in ("nhanes_adults_a.parquet", "nhanes_adults_b.parquet"):
        (tmp_path / name).touch()
    with pytest.raises(CohortUnusable, match="found 2"):
        nhanes.find(tmp_path)


def test_the_table_itself_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "any.parquet"
    path.touch()
    assert nhanes.find(path) == path


def test_a_table_without_a_column_names_it_and_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "any.parquet"
    pd.DataFrame({source: [1] for source in nhanes.COLUMNS if source not in ("waist_cm", "seqn")}).to_parquet(path)
    with pytest.raises(CohortUnusable, match=r"any\.parquet has no column seqn, waist_cm"):
        nhanes.read(path)
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(CohortUnusable, match=r"any\.parquet is not a parquet file"):
        nhanes.read(path)


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("bmi_kg_m2", "tall", "has words among the numbers in bmi_kg_m2"),
        ("hba1c_pct", float("inf"), "has infinite values in hba1c_pct"),
        ("age_years", float("nan"), "does not say of everybody age_years"),
        ("ethnicity", None, "does not say of everybody ethnicity"),
    ],
)
def test_a_cell_that_cannot_be_what_it_should_be_is_refused_by_file_and_column(
    tmp_path: Path, column: str, cell: object, said: str
) -> None:
    table = pd.DataFrame({name: ["a" if name in nhanes.WORDS else 1.0] * 2 for name in nhanes.COLUMNS})
    path = tmp_path / "any.parquet"
    table.to_parquet(path)
    assert len(nhanes.read(path)) == 2
    spoilt = [table[column][0] if cell != "tall" else "1", cell]
    table.assign(**{column: spoilt}).to_parquet(path)
    with pytest.raises(CohortUnusable, match=rf"^any\.parquet {said}$"):
        nhanes.read(path)
