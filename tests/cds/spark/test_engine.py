"""Spark on two threads of this machine says the same of every patient as the single machine does."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from cds import registry
from cds.models import Assessment, Ehr, EnabledService, PopulationRun, WriteBack
from cds.opt_out import opt_out
from cds.population import Progress, open_run, pause, resume, sweep
from cds.population.intake import CUT_OFF, NO_SUCH_PATIENT, SAME_PATIENT
from smartapp.demo_ehr.cast import read_cast
from tests.cds.population.conftest import exported, reasons

pytestmark = pytest.mark.timeout(600)  # each starts a JVM, and executors that import everything
SYNTHEA = Path(__file__).resolve().parents[4] / "shared" / "data" / "synthea_bulk"
State = PopulationRun.State


def _missing() -> str:
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed (make spark)"
    return "" if shutil.which("java") else "Java is not installed, which Spark needs"


@pytest.fixture(autouse=True)
def _spark(settings: Settings, tmp_path: Path) -> None:
    """Where .ci/run has installed it, nothing is skipped."""
    why_not = _missing()
    if why_not and not os.environ.get("WITH_SPARK"):
        pytest.skip(why_not)
    assert not why_not, why_not
    settings.BULK_FOLDER = tmp_path / "spool"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return exported(tmp_path / "bulk", read_cast())


def asked(folder: Path, ehr: Ehr | None = None, *, engine: str = "spark", block: int = 256) -> PopulationRun:
    run = opened(folder, ehr, engine=engine)
    for _ in swept(run, folder, block=block):
        pass
    run.refresh_from_db()
    assert (run.state, run.error) == (State.DONE, "")
    return run


def opened(folder: Path, ehr: Ehr | None, *, engine: str = "spark") -> PopulationRun:
    chosen = PopulationRun.Engine(engine)
    return open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder), engine=chosen)


def swept(run: PopulationRun, folder: Path, *, block: int = 256) -> Any:
    from cds.spark.engine import on_spark

    if run.engine == PopulationRun.Engine.MACHINE:
        return sweep(run, folder, block=block)
    return sweep(run, folder, engine=partial(on_spark, master="local[2]"), block=block)


def rows(run: PopulationRun) -> dict[str, dict[str, Any]]:
    """By patient, all but what names the row; of a folder without an EHR each run has pseudonyms of its own."""
    left_out = ("id", "run_id", "pseudonym", "patient_id")
    found = {row.patient_id.decode() if row.patient_id else row.pseudonym: row for row in run.results.all()}
    return {
        who: {
            field.attname: getattr(row, field.attname)
            for field in row._meta.concrete_fields
            if field.attname not in left_out
        }
        for who, row in found.items()
    }


def test_everybody_in_a_synthetic_population_gets_the_same_answer_from_both(db: None) -> None:
    if not SYNTHEA.exists():
        pytest.skip("the synthetic population is not here (../shared/data/synthea_bulk)")
    here, there = asked(SYNTHEA, engine="machine"), asked(SYNTHEA)
    assert there.patients == there.done == here.patients
    assert here.patients > 100
    assert rows(there) == rows(here)


def test_at_an_ehr_case_files_and_write_backs_are_the_same(ehr: Ehr, folder: Path) -> None:
    EnabledService.objects.filter(ehr=ehr).update(write_back=EnabledService.WriteBackPolicy.AUTO)
    opt_out(ehr, "bruno", actor="us")
    here = asked(folder, ehr, engine="machine")
    files, written = (
        set(Assessment.objects.values_list("pk", flat=True)),
        set(WriteBack.objects.values_list("pk", flat=True)),
    )
    assert files
    assert written
    there = asked(folder, ehr)
    assert rows(there) == rows(here)
    assert set(Assessment.objects.values_list("pk", flat=True)) == files
    assert set(WriteBack.objects.values_list("pk", flat=True)) == written


def test_a_paused_run_goes_on_and_asks_nobody_twice(ehr: Ehr, folder: Path) -> None:
    run = opened(folder, ehr)
    for progress in swept(run, folder, block=2):
        if isinstance(progress, Progress) and progress.done == 2:
            assert pause(run, why="lunch", actor="it")
    run.refresh_from_db()
    assert (run.state, run.done) == (State.PAUSED, 2)
    first = set(run.results.values_list("pk", flat=True))
    assert resume(run, why="back", actor="it")
    assert list(swept(run, folder, block=2))[-1] == Progress(done=6, of=6)
    assert first < set(run.results.values_list("pk", flat=True))
    assert len(reasons(run)) == 6


def test_every_line_is_accounted_for_as_on_the_single_machine(ehr: Ehr, folder: Path) -> None:
    stray = {"resourceType": "Condition", "subject": {"reference": "Patient/nobody-here"}}
    newer = {"resourceType": "Patient", "id": "ada", "birthDate": "1964-08-09", "gender": "female"}
    exported(folder, [stray, newer])
    with (folder / "Condition.ndjson").open("a", encoding="utf-8") as file:
        file.write('{"resourceType": "Condition", "subj\n\n')
    here, there = asked(folder, ehr, engine="machine"), asked(folder, ehr)
    assert there.done == there.patients == 6
    assert there.files == here.files
    assert flaws(there) == flaws(here)
    assert {reason for _, _, reason in flaws(there)} == {CUT_OFF, NO_SUCH_PATIENT, SAME_PATIENT}
    assert rows(there) == rows(here)


def flaws(run: PopulationRun) -> set[tuple[str, int, str]]:
    return set(run.flaws.values_list("file", "line", "reason"))


def test_nothing_secret_of_the_ehr_leaves_the_driver(ehr: Ehr, folder: Path) -> None:
    import pickle

    from cds.population.fold import Asking

    ehr.client_secret = b"not for executors"
    ehr.save()
    sent = pickle.dumps(Asking(run=opened(folder, ehr)).apart())
    assert b"not for executors" not in sent


def test_the_command_runs_it_and_a_run_goes_on_as_it_began(ehr: Ehr, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.ndjson"
    arguments = (
        "--source",
        str(folder),
        "--ehr",
        ehr.name,
        "--engine",
        "spark",
        "--master",
        "local[2]",
        "--out",
        str(out),
    )
    call_command("score_population", *arguments, stdout=StringIO(), stderr=StringIO())
    assert {json.loads(line)["patient"] for line in out.read_text().splitlines()} >= {"ada", "bruno"}
    stopped = opened(folder, ehr, engine="machine")
    with pytest.raises(CommandError, match="began with --engine machine"):
        call_command("score_population", "--resume", str(stopped.pk), "--engine", "spark", stderr=StringIO())
