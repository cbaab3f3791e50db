"""`manage.py evaluate` on a table of made-up people in the survey's shape."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from scoring import shelf
from scoring.models import ModelVersion

pytestmark = pytest.mark.django_db


def run(data: object, **options: object) -> str:
    said = StringIO()
    call_command("evaluate", "diabetes", source="nhanes", data=str(data), stdout=said, **options)
    return said.getvalue()


def test_it_prints_a_report_on_people_whom_training_never_saw(survey: Path) -> None:
    said = run(survey)
    assert said.startswith(f"# diabetes-risk {shelf.active_version('diabetes-risk')} on CDC/NCHS NHANES\n")
    assert "600 rows of people whom training saw are left out" in said
    assert "Temporal validation: trained on 1999-2010, measured on 2011-2012." in said
    assert "## Is it worth it" in said


def test_it_writes_report_facts_and_plots(survey: Path, tmp_path: Path) -> None:
    said = run(survey, out=tmp_path / "new")
    written = {path.name for path in (tmp_path / "new").iterdir()}
    plots = {"roc.svg", "calibration.svg", "decision_curve.svg", "score_histogram.svg"}
    assert written == {"evaluation.md", "evaluation.json", *plots}
    assert all(name in said for name in written)
    facts = json.loads((tmp_path / "new" / "evaluation.json").read_text())
    assert facts["validated_on"]["n"] == 200
    assert (tmp_path / "new" / "evaluation.md").read_text() in said


def test_any_version_on_the_shelf_can_be_named(survey: Path) -> None:
    assert "no version 9.9.9 of model diabetes-risk" in refused(survey, model_version="9.9.9")
    version = shelf.active_version("diabetes-risk")
    assert run(survey, model_version=version).startswith(f"# diabetes-risk {version} ")


def refused(data: object, **options: object) -> str:
    with pytest.raises(CommandError) as raised:
        run(data, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_an_artefact_that_is_not_the_recorded_one_is_refused(survey: Path) -> None:
    row = ModelVersion.objects.get(name="diabetes-risk", status="approved")
    ModelVersion.objects.filter(pk=row.pk).update(artefact=bytes(row.artefact)[:-1] + b"\0")
    shelf.forget()
    assert "its sha256 is not the recorded one" in refused(survey)


def test_metadata_with_features_in_another_order_are_refused(survey: Path) -> None:
    row = ModelVersion.objects.get(name="diabetes-risk", status="approved")
    row.facts["features"].reverse()
    row.save()
    shelf.forget()
    assert "its features are not the recorded ones" in refused(survey)


def test_a_missing_column_and_a_file_of_none_but_trained_on_are_named(survey: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(survey / "nhanes_adults_made_up.parquet")
    table.drop(columns="waist_cm").to_parquet(tmp_path / "without.parquet")
    assert "without.parquet has no column waist_cm" in refused(tmp_path / "without.parquet")
    table[table.cycle < "2011"].to_parquet(tmp_path / "seen.parquet")
    assert "was trained on everybody here" in refused(tmp_path / "seen.parquet")


def test_a_database_that_is_not_there_is_one_sentence(survey: Path) -> None:
    command = [sys.executable, "manage.py", "evaluate", "diabetes", "--source", "nhanes", "--data", str(survey)]
    away = {**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:9/none", "DATABASE_WAIT": "1"}
    done = subprocess.run(command, env=away, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "cannot be reached: start it, or correct DATABASE_URL" in done.stderr
