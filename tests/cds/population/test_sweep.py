"""A population is asked one question: everybody once, everybody accounted for, wherever it was stopped."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError

from cds import registry, tasks
from cds.assess import answer
from cds.models import Assessment, AuditEntry, Ehr, EnabledService, PopulationRun, WriteBack
from cds.opt_out import opt_out
from cds.population import Busy, Progress, cancel, open_run, pause, resume, sweep, unfinished
from smartapp.demo_ehr.cast import read_cast
from tests.cds.population.conftest import THE_CAST, asked, exported, reasons

State = PopulationRun.State


def test_everybody_has_an_answer_with_its_reason(ehr: Ehr, folder: Path) -> None:
    run = asked(folder, ehr)
    assert run.state == State.DONE
    assert reasons(run) == THE_CAST
    assert (run.patients, run.scored, run.not_applicable, run.not_enough_data, run.failed) == (6, 3, 2, 1, 0)


def test_who_alerts_has_a_case_file_that_can_be_answered_again(ehr: Ehr, folder: Path) -> None:
    run = asked(folder, ehr)
    alerting = run.results.filter(alerts=True)
    assert alerting
    assert not run.results.filter(alerts=False).exclude(assessment=None)
    for row in alerting:
        assert row.assessment is not None
        assert answer(row.assessment) == row.assessment.outcome
    predicted = AuditEntry.objects.filter(action="predict", subject__in=[str(row.assessment_id) for row in alerting])
    assert predicted.count() == alerting.count()


def test_a_second_run_today_uses_the_same_case_files(ehr: Ehr, folder: Path) -> None:
    first, second = asked(folder, ehr), asked(folder, ehr)
    files = {
        run: set(run.results.exclude(assessment=None).values_list("assessment", flat=True)) for run in (first, second)
    }
    assert files[first] == files[second]
    assert Assessment.objects.count() == len(files[first])


def test_a_folder_of_no_ehr_is_scored_without_case_files(ehr: Ehr, folder: Path) -> None:
    run = asked(folder)
    assert reasons(run) == THE_CAST
    assert not Assessment.objects.exists()


def test_who_is_born_in_the_future_has_no_age_and_stops_nobody_elses_answer(ehr: Ehr, folder: Path) -> None:
    born = {"resourceType": "Patient", "id": "typo", "gender": "female", "birthDate": "2090-01-01"}
    run = asked(exported(folder, [born]), ehr)
    assert reasons(run) == THE_CAST | {"typo": "age-unknown"}


DETAIL = "Failing row contains ({})."  # as PostgreSQL says it


def test_what_nobody_had_foreseen_ends_the_run_with_a_sentence_and_no_row_in_the_log(
    ehr: Ehr, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Generator[Any, None, None]:
        yield []
        raise IntegrityError(DETAIL.format("ada"))

    run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder))
    for _ in sweep(run, folder, engine=broken):
        pass
    assert (run.state, "IntegrityError" in run.error) == (State.FAILED, True)
    assert "stopped: IntegrityError" in caplog.text
    assert DETAIL.format("ada") not in caplog.text + run.error


def test_of_whom_nothing_could_be_said_the_id_is_kept(ehr: Ehr, folder: Path) -> None:
    run = asked(exported(folder, [{"resourceType": "Patient", "id": "odd", "birthDate": 7}]), ehr)
    (failed,) = run.results.filter(outcome="failed")
    assert failed.patient_id == b"odd"


def test_a_result_that_cannot_be_read_is_said_as_at_a_hook_and_fails_nobody(ehr: Ehr, folder: Path) -> None:
    odd = {"resourceType": "Observation", "id": "x", "status": "final", "subject": {"reference": "Patient/ada"}}
    code = {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}
    run = asked(exported(folder, [{**odd, "code": code, "valueQuantity": {"value": "7"}}]), ehr)
    assert reasons(run) == THE_CAST | {"ada": "record-unusable"}


def test_who_opted_out_is_counted_and_nothing_else(ehr: Ehr, folder: Path) -> None:
    opt_out(ehr, "ada", actor="us")
    run = asked(folder, ehr)
    row = run.results.get(pseudonym=ehr.pseudonym("ada"))
    assert (row.outcome, row.reason, row.patient_id, row.age, row.probability) == (
        "not-applicable",
        "opted-out",
        None,
        None,
        None,
    )
    assert run.done == run.patients == 6


def test_test_patients_of_a_production_record_are_left_out(ehr: Ehr, folder: Path) -> None:
    ehr.environment, ehr.test_patients = Ehr.Environment.PRODUCTION, "ada\nbruno"
    ehr.save()
    left_out = asked(folder, ehr).results.filter(reason="test-patient")
    assert {row.pseudonym for row in left_out} == {ehr.pseudonym("ada"), ehr.pseudonym("bruno")}


def test_restricted_and_merged_records_are_counted_and_not_scored(ehr: Ehr, folder: Path) -> None:
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}
    vip = {"resourceType": "Patient", "id": "vip", "meta": {"security": [label]}, "birthDate": "1960-01-01"}
    link = [{"type": "replaced-by", "other": {"reference": "Patient/ada"}}]
    old = {"resourceType": "Patient", "id": "old", "link": link, "birthDate": "1960-01-01"}
    run = asked(exported(folder, [vip, old]), ehr)
    assert {row.reason for row in run.results.filter(patient_id=None)} == {"restricted", "merged"}
    assert run.done == run.patients == 8


def test_by_policy_results_are_queued_for_the_chart_once(ehr: Ehr, folder: Path) -> None:
    EnabledService.objects.filter(ehr=ehr).update(write_back=EnabledService.WriteBackPolicy.AUTO)
    asked(folder, ehr)
    rows = set(WriteBack.objects.values_list("pk", flat=True))
    assert rows
    asked(folder, ehr)
    assert set(WriteBack.objects.values_list("pk", flat=True)) == rows


def test_published_to_the_worklist_only_nothing_is_written(ehr: Ehr, folder: Path) -> None:
    EnabledService.objects.filter(ehr=ehr).update(write_back=EnabledService.WriteBackPolicy.AUTO)
    asked(folder, ehr, writes=False)
    assert not WriteBack.objects.exists()


def test_a_paused_run_goes_on_where_it_was(ehr: Ehr, folder: Path) -> None:
    run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder))
    for progress in sweep(run, folder, block=2):
        if isinstance(progress, Progress) and progress.done == 2:
            assert pause(run, why="lunch", actor="it")
    run.refresh_from_db()
    assert (run.state, run.done) == (State.PAUSED, 2)
    first = set(run.results.values_list("pk", flat=True))
    assert resume(run, why="back", actor="it")
    assert list(sweep(run, folder, block=2))[-1] == Progress(done=6, of=6)
    assert first < set(run.results.values_list("pk", flat=True))
    assert reasons(run) == THE_CAST


def test_a_cancelled_run_keeps_what_was_answered_and_asks_no_more(ehr: Ehr, folder: Path) -> None:
    run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder))
    for progress in sweep(run, folder, block=2):
        if isinstance(progress, Progress) and progress.done == 2:
            assert cancel(run, why="wrong folder", actor="it")
    run.refresh_from_db()
    assert (run.state, run.results.count()) == (State.CANCELLED, 2)
    assert not resume(run, why="after all", actor="it")
    assert not run.spool.exists()


def test_two_workers_never_have_the_same_run(ehr: Ehr, folder: Path) -> None:
    run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder))
    first = sweep(run, folder, block=2)
    next(first)
    with pytest.raises(Busy):
        next(sweep(run, folder, block=2))
    first.close()


def test_a_run_whose_worker_was_killed_is_taken_up_by_the_next(ehr: Ehr, folder: Path) -> None:
    run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder))
    killed = sweep(run, folder, block=2)
    assert any(step == Progress(done=2, of=6) for step in killed)
    killed.close()
    assert [left.pk for left in unfinished()] == [run.pk]
    tasks.sweep(str(run.pk))
    assert not list(unfinished())
    assert reasons(run) == THE_CAST


def test_what_is_left_of_a_run_that_was_over_when_its_worker_was_killed_is_cleared(
    ehr: Ehr, folder: Path, spool: Path
) -> None:
    run = asked(folder, ehr)
    assert not list(spool.iterdir())
    run.spool.mkdir()
    run.spool.with_suffix(".lock").touch()
    (spool / "of somebody else.lock").touch()
    tasks.expire_batches()
    assert [left.name for left in spool.iterdir()] == ["of somebody else.lock"]


def test_what_was_wished_of_a_run_while_nobody_worked_on_it_is_done_by_the_next_worker(ehr: Ehr, folder: Path) -> None:
    run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder))
    assert pause(run, why="lunch", actor="it")
    tasks.sweep(str(run.pk))
    assert not list(unfinished())
    assert cancel(run, why="wrong folder", actor="it")
    assert [left.pk for left in unfinished()] == [run.pk]
    tasks.sweep(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.done) == (State.CANCELLED, 0)


def test_a_service_that_is_off_is_not_asked(ehr: Ehr, folder: Path) -> None:
    EnabledService.objects.filter(ehr=ehr).update(stage=EnabledService.Stage.OFF)
    with pytest.raises(Exception, match="is off at"):
        open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder))


def test_the_cast_is_the_demo_hospitals(folder: Path) -> None:
    assert len(list(folder.iterdir())) == len({resource["resourceType"] for resource in read_cast()})
