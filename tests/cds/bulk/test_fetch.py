"""Everybody's records from an EHR into the run's folder, over HTTP; whatever the EHR does, it is done or said why not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django import Settings

from cds.bulk import Fetching
from cds.bulk.accounts import Account, unused
from cds.models import Ehr, PopulationRun
from cds.population import cancel, resume, sweep
from smartapp.demo_ehr.export import jobs
from tests.bulk_ehr import BulkEhr, Said
from tests.cds.bulk.conftest import gone_on, opened
from tests.cds.bulk.exports import FILE, LATER, PATIENTS, STATUS, THE_CAST, failure
from tests.cds.population.conftest import reasons

State = PopulationRun.State


# --- From the demo hospital --------------------------------------------------------------------------------------
@pytest.mark.parametrize("group", ["", "all-patients"])
def test_an_export_gives_everybody_their_answer(hospital: Ehr, group: str) -> None:
    run = gone_on(opened(hospital, group))
    assert (run.state, run.error) == (State.DONE, "")
    assert reasons(run) == THE_CAST


def test_nothing_is_left_here_or_at_the_hospital(hospital: Ehr) -> None:
    run = gone_on(opened(hospital))
    assert not run.spool.exists()
    assert run.export.status_url is None
    assert not jobs._jobs


@pytest.mark.parametrize("open_files", [False, True])
def test_files_that_their_address_opens_are_fetched_without_the_token(
    hospital: Ehr, settings: Settings, open_files: bool
) -> None:
    settings.DEMO_EHR_OPEN_FILES = open_files  # and then it refuses a token
    assert gone_on(opened(hospital)).state == State.DONE


# --- The status --------------------------------------------------------------------------------------------------
def test_the_pace_is_the_hospitals_and_its_words_are_shown(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.next[f"GET {STATUS}"] = [Said(status=202, headers={"X-Progress": "70 % \x07done", "Retry-After": "1"})]
    run = opened(exporting)
    steps = [step for step in sweep(run, run.folder) if isinstance(step, Fetching)]
    assert [step.words for step in steps if step.waits] == ["70 % done"]
    assert exporter.times("GET", STATUS) == 2


def test_a_status_address_is_kept_before_anybody_looks_there(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.next[f"GET {STATUS}"] = [Said(status=202, headers={"Retry-After": "600"})]
    run = opened(exporting)
    steps = sweep(run, run.folder)
    for step in steps:
        if isinstance(step, Fetching) and step.waits:
            break
    steps.close()
    export = run.export
    assert bytes(export.status_url) == f"{exporter.url}{STATUS}".encode()
    export.next_at = None
    export.save()
    assert gone_on(run).state == State.DONE
    assert exporter.exports == 1


@pytest.mark.parametrize("place", [f"GET {PATIENTS}", f"GET {STATUS}", f"GET {FILE}"])
def test_a_storm_of_429_is_waited_out(exporting: Ehr, exporter: BulkEhr, place: str) -> None:
    exporter.next[place] = [Said.outcome(429, "throttled", **LATER) for _ in range(3)]
    run = gone_on(opened(exporting))
    assert (run.state, run.error) == (State.DONE, "")
    assert reasons(run) == THE_CAST


@pytest.mark.parametrize("code", ["transient", "lock-error", "timeout"])
def test_a_question_that_failed_is_not_a_job_that_failed(exporting: Ehr, exporter: BulkEhr, code: str) -> None:
    exporter.next[f"GET {STATUS}"] = [Said.outcome(500, code, **LATER)]
    assert gone_on(opened(exporting)).state == State.DONE


def test_an_export_that_failed_half_way_is_said_and_asked_for_again_when_somebody_resumes(
    exporting: Ehr, exporter: BulkEhr
) -> None:
    exporter.next[f"GET {STATUS}"] = [Said(status=202, headers=LATER), Said.outcome(500, "processing")]
    run = gone_on(opened(exporting))
    assert (run.state, run.error) == (State.FAILED, "The EHR gave up its export (500, processing).")
    assert resume(run, why="again", actor="it")
    assert gone_on(run).state == State.DONE
    assert exporter.exports == 2


def test_an_export_that_is_gone_is_asked_for_once_more(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.next[f"GET {STATUS}"] = [Said.outcome(404, "not-found")]
    assert gone_on(opened(exporting)).state == State.DONE
    assert exporter.exports == 2


def test_an_export_that_goes_again_and_again_is_a_failure(exporting: Ehr, exporter: BulkEhr) -> None:
    for number in (1, 2):
        exporter.next[f"GET /status/{number}"] = [Said.outcome(404, "not-found")]
    assert "knows its export no longer" in failure(exporting)


def test_a_token_that_ends_meanwhile_is_renewed(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.seconds = 0
    assert gone_on(opened(exporting)).state == State.DONE
    used = [asked.headers["authorization"] for asked in exporter.asked if "authorization" in asked.headers]
    assert len(used) == len(set(used))


# --- The manifest ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"output": []}', b'{"requiresAccessToken": "yes"}'])
def test_what_is_no_manifest_is_refused(exporting: Ehr, exporter: BulkEhr, content: bytes) -> None:
    exporter.next[f"GET {STATUS}"] = [Said(body=content)]
    assert "not a Bulk Data manifest" in failure(exporting)


def test_a_manifest_of_the_fourth_edition_is_read(exporting: Ehr, exporter: BulkEhr) -> None:
    line = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}
    exporter.files["said.ndjson"] = json.dumps(line).encode() + b"\n"
    del exporter.manifest["error"]
    exporter.manifest |= {"outcome": [exporter.item("said.ndjson")], "manifestType": "complete", "extension": []}
    assert gone_on(opened(exporting)).state == State.DONE
    assert exporter.times("GET", "/files/said.ndjson") == 1


def test_a_manifest_in_pages_is_read_to_its_end(exporting: Ehr, exporter: BulkEhr) -> None:
    output = exporter.manifest["output"]
    first = {**exporter.manifest, "output": output[:1], "link": [{"relation": "next", "url": "/status/page2"}]}
    second = {**exporter.manifest, "output": output[1:]}
    exporter.next[f"GET {STATUS}"] = [Said(body=json.dumps(first).encode())]
    exporter.next["GET /status/page2"] = [Said(status=202, headers=LATER), Said(body=json.dumps(second).encode())]
    assert reasons(gone_on(opened(exporting))) == THE_CAST


def test_files_that_are_sorted_by_something_else_have_no_type(exporting: Ehr, exporter: BulkEhr) -> None:
    mixed = b'{"resourceType": "Parameters", "parameter": []}\n' + b"".join(exporter.files.values())
    exporter.files["mixed.ndjson"] = mixed
    item = {"url": f"{exporter.url}/files/mixed.ndjson"}
    exporter.manifest |= {"outputOrganizedBy": "Patient", "output": [item]}
    assert reasons(gone_on(opened(exporting))) == THE_CAST


def test_an_empty_group_has_nobody_in_it(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.manifest["output"] = []
    run = gone_on(opened(exporting, "nobody"))
    assert (run.state, run.patients) == (State.DONE, 0)


def test_a_host_that_nobody_registered_is_not_asked_and_named(
    exporting: Ehr, exporter: BulkEhr, files: BulkEhr
) -> None:
    exporter.manifest["output"][0]["url"] = f"{files.url}{FILE}"
    assert f"names a host that is not registered: {files.url}" in failure(exporting)
    assert not files.asked


# --- What the EHR left out, and the end --------------------------------------------------------------------------
def test_what_the_hospital_left_out_is_counted_by_line_and_never_quoted(exporting: Ehr, exporter: BulkEhr) -> None:
    def line(severity: str, code: str) -> dict[str, Any]:
        issue = {"severity": severity, "code": code, "diagnostics": "Lindqvist, Ada"}
        return {"resourceType": "OperationOutcome", "issue": [issue]}

    lines = [line("error", "not-found"), line("error", "not-found"), line("information", "informational")]
    exporter.files["said.ndjson"] = b"\n".join(json.dumps(one).encode() for one in lines) + b"\nnonsense\n"
    exporter.manifest["error"] = [exporter.item("said.ndjson", type="OperationOutcome")]
    run = gone_on(opened(exporting))
    said = {"error not-found": 2, "information informational": 1, "not an OperationOutcome": 1}
    assert run.export.said == {"OperationOutcome.00001.ndjson": said}
    assert ("error/OperationOutcome.00001.ndjson", Account(lines=4, flaws=said)) in unused(run)
    assert run.flaws.filter(file__startswith="error/").count() == 4
    assert not any("Lindqvist" in flaw.reason for flaw in run.flaws.all())


def test_a_cancelled_export_is_deleted_at_the_hospital(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.next[f"GET {STATUS}"] = [Said(status=202, headers={"Retry-After": "600"})]
    run = opened(exporting)
    for step in sweep(run, run.folder):
        if isinstance(step, Fetching) and step.waits:
            assert cancel(run, why="wrong group", actor="it")
    run.refresh_from_db()
    assert run.state == State.CANCELLED
    assert exporter.times("DELETE", STATUS) == 1
    assert not run.spool.exists()


def test_an_export_that_cannot_be_deleted_harms_nobody(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.next[f"DELETE {STATUS}"] = [Said(status=500), Said(status=500)]
    assert gone_on(opened(exporting)).state == State.DONE
