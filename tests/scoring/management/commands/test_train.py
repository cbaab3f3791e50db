"""`manage.py train` on a table of made-up people in the survey's shape."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from scoring.management.plainly import plainly
from scoring.training import Trained, write


@pytest.fixture(autouse=True)
def _home(settings: Any, tmp_path: Path) -> None:
    settings.HOME = tmp_path / "home"


def run(survey: Path, out: Path) -> str:
    said = StringIO()
    call_command("train", "diabetes", source="nhanes", data=str(survey), out=out, stdout=said, stderr=StringIO())
    return said.getvalue()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What an uninterrupted run says and writes."""
    out = tmp_path_factory.mktemp("whole")
    with override_settings(HOME=tmp_path_factory.mktemp("home")):
        return run(survey, out), out


def test_training_writes_artefact_facts_and_card_and_says_how_good_it_is(whole: tuple[str, Path]) -> None:
    said, out = whole
    assert set(files(out)) == {"model/diabetes-risk.ubj", "model/diabetes-risk.json", "MODEL_CARD.md"}
    assert all(name in said for name in files(out))
    assert "AUROC 0.9" in said


def test_a_run_that_was_killed_goes_on_and_writes_the_same_bytes(
    survey: Path, whole: tuple[str, Path], tmp_path: Path
) -> None:
    journals = tmp_path / "home" / "training"
    command = [sys.executable, "manage.py", "train", "diabetes", "--source", "nhanes", "--data", str(survey)]
    environment = {**os.environ, "BEDSIDE_HOME": str(tmp_path / "home")}
    killed = subprocess.Popen([*command, "--out", str(tmp_path / "out")], env=environment, cwd=settings.BASE_DIR)
    deadline = time.monotonic() + 100
    while not any(path.read_bytes().count(b"\n") >= 2 for path in journals.glob("*.jsonl")):
        assert killed.poll() is None
        assert time.monotonic() < deadline
    killed.kill()
    killed.wait()
    assert not (tmp_path / "out").exists()
    run(survey, tmp_path / "out")
    assert files(tmp_path / "out") == files(whole[1])
    assert not list(journals.glob("*"))


def test_an_unknown_recipe_or_an_empty_folder_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no recipe gout"):
        call_command("train", "gout", source="nhanes", data=str(tmp_path))
    with pytest.raises(CommandError, match="found 0"):
        call_command("train", "diabetes", source="nhanes", data=str(tmp_path))


def changed(survey: Path, folder: Path, **columns: object) -> str:
    table = pd.read_parquet(survey / "nhanes_adults_made_up.parquet").assign(**columns)
    table.to_parquet(folder / "nhanes_adults_changed.parquet")
    return str(folder)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"hba1c_pct": 5.0}, "the label is no in all 800 rows"),
        ({"waist_cm": np.nan}, "nothing but missing values in waist"),
        ({"cycle": "2005-2006"}, "nothing on one side of 2009-2010"),
    ],
)
def test_a_bad_table_is_told_in_one_sentence_and_leaves_the_model_that_was_there(
    survey: Path, tmp_path: Path, columns: dict[str, object], said: str
) -> None:
    data, out = changed(survey, tmp_path, **columns), tmp_path / "out"
    out.mkdir()
    (out / "MODEL_CARD.md").write_text("as it was")
    with pytest.raises(CommandError, match=said) as raised:
        call_command("train", "diabetes", source="nhanes", data=data, out=out)
    assert "\n" not in str(raised.value)
    assert files(out) == {"MODEL_CARD.md": b"as it was"}


def test_a_folder_that_cannot_be_written_is_named(survey: Path, whole: tuple[str, Path], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file, no folder")
    facts = json.loads((whole[1] / "model" / "diabetes-risk.json").read_text())
    trained = Trained(artefact=b"{", facts=facts, card="card")
    with pytest.raises(CommandError, match="out"), plainly():
        write(trained, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "a file, no folder"


def test_ctrl_c_says_how_to_go_on_and_is_told_apart_by_the_exit_code() -> None:
    with pytest.raises(CommandError, match="goes on") as raised, plainly(interrupted="the same command goes on"):
        raise KeyboardInterrupt
    assert raised.value.returncode == 130
