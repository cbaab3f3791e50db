"""`manage.py score_population`: everybody in a folder, accounted for to the last."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings as config
from django.core.management import CommandError, call_command
from pytest_django import Settings

from cds import registry
from cds.models import AuditEntry, Ehr, PopulationRun
from cds.population import open_run
from smartapp.demo_ehr.cast import read_cast
from tests.cds.population.conftest import exported

SYNTHEA = config.BASE_DIR.parent / "shared" / "data" / "synthea_bulk"


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.BULK_FOLDER = tmp_path / "spool"
    return exported(tmp_path / "bulk", read_cast())


def score(*arguments: str) -> str:
    out = StringIO()
    call_command("score_population", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_parts_add_up_to_the_whole(ehr: Ehr, folder: Path) -> None:
    lines = score("--source", str(folder), "--ehr", ehr.name).splitlines()
    assert lines[0].split() == ["6", "patients"]
    counts = {" ".join(line.split()[1:]): int(line.split()[0]) for line in lines[1:-1]}
    assert counts["scored"] + counts["not applicable"] + counts["not enough data"] + counts["failed"] == 6
    assert counts["diagnosed"] == 1
    assert lines[-1].endswith("is done.")


def test_lines_that_were_not_used_are_accounted_for_by_file_and_reason(ehr: Ehr, folder: Path) -> None:
    with (folder / "Patient.ndjson").open("a") as file:
        file.write('{"resourceType": "Patient", "id": "gr')
    assert "1 of 7 lines of Patient.ndjson not used: cut off" in " ".join(score("--source", str(folder)).split())


def test_the_answers_are_written_one_line_a_patient(ehr: Ehr, folder: Path, tmp_path: Path) -> None:
    score("--source", str(folder), "--out", str(tmp_path / "results.ndjson"))
    lines = [json.loads(line) for line in (tmp_path / "results.ndjson").read_text().splitlines()]
    assert {line["patient"]: line["outcome"] for line in lines}["ada"] == "scored"
    assert len(lines) == 6
    assert (tmp_path / "results.ndjson").stat().st_mode & 0o077 == 0


def test_a_run_that_is_done_is_not_taken_for_one_to_go_on_with(ehr: Ehr, folder: Path) -> None:
    score("--source", str(folder))
    score("--source", str(folder))
    assert PopulationRun.objects.count() == 2


def test_an_older_run_is_not_gone_on_with_once_a_newer_one_is_done(ehr: Ehr, folder: Path) -> None:
    old = open_run(registry.get("diabetes-risk"), detail=str(folder))
    score("--source", str(folder), "--anew")
    score("--source", str(folder))
    old.refresh_from_db()
    assert old.state == PopulationRun.State.QUEUED
    assert PopulationRun.objects.filter(state=PopulationRun.State.DONE).count() == 2


@pytest.mark.parametrize("other", [("--at", "2020-01-01"), ("--worklist-only",)], ids=" ".join)
def test_a_run_is_not_gone_on_with_as_another_question(ehr: Ehr, folder: Path, other: tuple[str, ...]) -> None:
    open_run(registry.get("diabetes-risk"), detail=str(folder))
    with pytest.raises(CommandError, match="This run began"):
        score("--source", str(folder), *other)


def test_a_folder_in_which_nobody_can_be_read_is_no_success(ehr: Ehr, folder: Path) -> None:
    (folder / "Patient.ndjson").write_text("")
    with pytest.raises(CommandError, match="nobody was asked about"):
        score("--source", str(folder))


def test_a_file_that_breaks_off_is_pointed_out_at_the_end(ehr: Ehr, folder: Path) -> None:
    whole = (folder / "Condition.ndjson").read_bytes()
    (folder / "Condition.ndjson").write_bytes(whole[:-20])
    assert "Condition.ndjson was cut off: answers may lack what should follow there." in score("--source", str(folder))


def test_a_run_is_paused_and_cancelled_from_another_process(ehr: Ehr, folder: Path) -> None:
    run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder))
    assert "is paused" in score("--pause", str(run.pk), "--why", "lunch")
    assert "is cancelled" in score("--cancel", str(run.pk), "--why", "wrong folder")
    with pytest.raises(CommandError, match="nothing to stop"):
        score("--cancel", str(run.pk), "--why", "again")
    said = AuditEntry.objects.filter(action__in=["sweep-pause", "sweep-cancel"]).order_by("pk")
    assert [entry.detail["reason"] for entry in said] == ["lunch", "wrong folder"]


def test_who_stops_a_run_says_why(ehr: Ehr, folder: Path) -> None:
    run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder))
    with pytest.raises(CommandError, match="--why"):
        score("--pause", str(run.pk))
    run.refresh_from_db()
    assert run.wish == PopulationRun.Wish.RUN


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--source"),
        (("--source", "/nowhere"), "not a folder"),
        (("--resume", "x"), "id of a run"),
        (("--source", ".", "--out", "/nowhere/answers.ndjson"), "cannot be written"),
        (("--source", ".", "--out", "/"), "cannot be written"),
        (("--source", ".", "--at", "9999-12-31T23:59:59-14:00"), "--at is not"),
        (("--source", ".", "--ehr", "Nowhere"), "no EHR"),
        (("--source", ".", "--since", "2026-01-01"), "Only an EHR says who changed"),
        (("--ehr", "Demo hospital", "--since", "2026-01-01", "--crawl"), "Only an export says who changed"),
        (("--ehr", "Demo hospital", "--since", "yesterday"), "--since is not"),
    ],
)
def test_what_cannot_be_asked_is_one_clear_sentence(ehr: Ehr, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        score(*arguments)


@pytest.mark.skipif(not SYNTHEA.exists(), reason=f"needs {SYNTHEA}")
def test_every_synthetic_patient_gets_the_answer_of_the_assess_command(
    db: None, tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.BULK_FOLDER = tmp_path / "spool"
    at = "2026-09-01T08:00:00+00:00"
    account = score("--source", str(SYNTHEA), "--at", at, "--out", str(tmp_path / "results.ndjson"))
    assert account.split()[:2] == ["167", "patients"]
    capsys.readouterr()
    call_command("assess", str(SYNTHEA), "--at", at)
    alone = {line["patient"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    found = [json.loads(line) for line in (tmp_path / "results.ndjson").read_text().splitlines()]
    assert len(found) == len(alone) == 167
    kinds = {"scored": "Finding", "not-applicable": "NotApplicable", "not-enough-data": "NotEnoughData"}
    for line in found:
        other = alone[line["patient"]]
        assert (kinds[line["outcome"]], line["reason"]) == (other["outcome"], other["rule"])
        assert line["probability"] == pytest.approx(other["probability"], abs=5e-5)


def test_of_several_groups_one_must_be_named(ehr: Ehr, folder: Path) -> None:
    ehr.population_groups = "diabetics\nall-patients"
    ehr.save()
    with pytest.raises(CommandError, match=r"one of them \(--group\): diabetics, all-patients"):
        score("--ehr", ehr.name)
    assert not PopulationRun.objects.exists()


@pytest.mark.parametrize("more", [(), ("--crawl",)])
def test_everybody_at_an_ehr_is_asked_about(hospital: Ehr, folder: Path, more: tuple[str, ...]) -> None:
    hospital.population_groups, hospital.crawl_pace = "all-patients", 1000.0
    hospital.save()
    lines = score("--ehr", hospital.name, *more).splitlines()
    assert lines[0].split() == ["6", "patients"]
    assert lines[-1].endswith("is done.")
    assert PopulationRun.objects.get().source == ("crawl" if more else "export")


def test_since_the_last_run_only_who_changed_is_asked_about(hospital: Ehr, folder: Path) -> None:
    Ehr.objects.update(crawl_pace=1000.0)
    with pytest.raises(CommandError, match="No finished run asked the same"):
        score("--ehr", hospital.name, "--since", "last")
    score("--ehr", hospital.name)
    assert score("--ehr", hospital.name, "--since", "last").split()[:2] == ["0", "patients"]
