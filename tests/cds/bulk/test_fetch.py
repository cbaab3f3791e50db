"""Everybody's records from an EHR into the run's folder, over HTTP; whatever the EHR does, it is done or said why not."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pytest_django import Settings

from cds.bulk import Fetching, download
from cds.bulk.accounts import Account, unused
from cds.models import AuditEntry, Ehr, ExportFile, PopulationRun
from cds.population import cancel, pause, resume, sweep
from smartapp.demo_ehr.export import jobs
from smartapp.demo_ehr.store import chart_store
from tests.bulk_ehr import NDJSON, BulkEhr, Said
from tests.cds.bulk.conftest import gone_on, opened
from tests.cds.population.conftest import reasons

State = PopulationRun.State
THE_CAST = {
    "ada": "model-high",
    "bruno": "model-low",
    "chen": "screening-due",
    "dara": "diagnosed",
    "emil": "child",
    "farah": "prediabetes",
}
PATIENTS = "/fhir/Patient/$export"
STATUS = "/status/1"
FILE = "/files/Patient.ndjson"
LATER = {"Retry-After": "0"}


@pytest.fixture
def files(exporter: BulkEhr) -> Iterator[BulkEhr]:
    """Another server, where only files lie."""
    with BulkEhr.serving([]) as server:
        server.files = exporter.files
        yield server


def failure(ehr: Ehr) -> str:
    run = gone_on(opened(ehr))
    assert run.state == State.FAILED
    assert "Lindqvist" not in run.error
    return run.error


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


# --- The kick-off ------------------------------------------------------------------------------------------------
def test_an_export_is_asked_for_with_the_types_that_the_service_needs(exporting: Ehr, exporter: BulkEhr) -> None:
    assert gone_on(opened(exporting)).state == State.DONE
    asked = exporter.last("GET", PATIENTS)
    assert set(asked.query["_type"].split(",")) == {file.removesuffix(".ndjson") for file in exporter.files} | {
        "Encounter",
        "Procedure",
        "ServiceRequest",
    }
    assert (asked.headers["accept"], asked.headers["prefer"]) == ("application/fhir+json", "respond-async")
    assert asked.headers["authorization"].startswith("Bearer ")
    assert AuditEntry.objects.filter(action="bulk-export", ehr=exporting).exists()


@pytest.fixture
def narrowed(exporting: Ehr) -> Ehr:
    """An administrator has said that it takes `_typeFilter`."""
    exporting.export_filters = True
    exporting.save()
    return exporting


def test_only_the_codes_that_are_needed_are_asked_for_where_the_server_takes_filters(hospital: Ehr) -> None:
    hospital.export_filters = True
    hospital.save()
    run = gone_on(opened(hospital))
    assert reasons(run) == THE_CAST
    (observations,) = (said for name, said in run.files.items() if name.startswith("Observation"))
    assert 0 < observations["used"] == observations["lines"]
    assert len(chart_store().all("Observation")) > observations["lines"]


def test_a_filter_is_one_search_a_type_and_survives_a_server_that_ignores_it(narrowed: Ehr, exporter: BulkEhr) -> None:
    assert reasons(gone_on(opened(narrowed))) == THE_CAST
    kind, _, query = exporter.last("GET", PATIENTS).query["_typeFilter"].partition("?")
    codes = dict(parse_qsl(query))["code"].split(",")
    assert kind == "Observation"
    assert "http://loinc.org|4548-4" in codes
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("issue", ["invalid", "not-supported"])
def test_where_filters_are_refused_everything_is_asked_for(narrowed: Ehr, exporter: BulkEhr, issue: str) -> None:
    paths = (PATIENTS, "/fhir/$export")[: 1 + (issue == "not-supported")]
    for path in paths:
        for method in ("GET", "POST"):
            exporter.next[f"{method} {path}"] = [Said.outcome(400, issue)]
    assert reasons(gone_on(opened(narrowed))) == THE_CAST
    assert "_typeFilter" not in exporter.last("GET", PATIENTS).query


def test_a_group_is_exported_by_its_own_address(exporting: Ehr, exporter: BulkEhr) -> None:
    gone_on(opened(exporting, "diabetics"))
    assert exporter.times("GET", "/fhir/Group/diabetics/$export") == 1


def test_a_server_that_takes_post_alone_gets_parameters(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.next[f"GET {PATIENTS}"] = [Said.outcome(405, "not-supported")]
    assert gone_on(opened(exporting)).state == State.DONE
    parameters = json.loads(exporter.last("POST", PATIENTS).body)["parameter"]
    assert {"name": "_type", "valueString": "Patient"} in parameters


def test_where_patients_cannot_be_exported_the_system_is(exporting: Ehr, exporter: BulkEhr) -> None:
    for method in ("GET", "POST"):
        exporter.next[f"{method} {PATIENTS}"] = [Said.outcome(404, "not-found")]
    assert gone_on(opened(exporting)).state == State.DONE
    assert exporter.times("GET", "/fhir/$export") == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Said.outcome(403, "forbidden"), "does not let us export this (403, forbidden)"),
        (Said(status=202), "does not say where it stands"),
        (
            Said(status=202, headers={"Content-Location": "https://elsewhere.example/1"}),
            "https://elsewhere.example:443",
        ),
    ],
)
def test_a_kick_off_that_leads_nowhere_is_one_clear_sentence(
    exporting: Ehr, exporter: BulkEhr, answer: Said, said: str
) -> None:
    exporter.next[f"GET {PATIENTS}"] = [answer]
    assert said in failure(exporting)


def test_what_was_not_granted_is_said_before_anything_is_exported(exporting: Ehr, exporter: BulkEhr) -> None:
    token = {"access_token": "t", "token_type": "bearer", "scope": "system/Patient.rs"}
    exporter.next["POST /token"] = [Said(body=json.dumps(token).encode())]
    assert "did not grant our system client: Condition.rs, Observation.rs" in failure(exporting)
    assert not exporter.exports


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


# --- The files ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("token", [True, False])
def test_the_token_goes_to_files_only_where_the_manifest_says_so(
    exporting: Ehr, exporter: BulkEhr, files: BulkEhr, token: bool
) -> None:
    exporting.file_origins = files.url
    exporting.save()
    exporter.manifest["requiresAccessToken"] = token
    for item in exporter.manifest["output"]:
        item["url"] = item["url"].replace(exporter.url, files.url)
    assert gone_on(opened(exporting)).state == State.DONE
    assert {"authorization" in asked.headers for asked in files.asked} == {token}
    assert {asked.headers["accept"] for asked in files.asked} == {NDJSON}


def test_a_redirect_is_followed_to_a_registered_host_without_the_token(
    exporting: Ehr, exporter: BulkEhr, files: BulkEhr
) -> None:
    exporting.file_origins = files.url
    exporting.save()
    exporter.next[f"GET {FILE}"] = [Said(status=302, headers={"Location": f"{files.url}{FILE}"})]
    assert reasons(gone_on(opened(exporting))) == THE_CAST
    assert "authorization" not in files.last("GET", FILE).headers


def test_a_redirect_to_another_host_is_not_followed(exporting: Ehr, exporter: BulkEhr, files: BulkEhr) -> None:
    exporter.next[f"GET {FILE}"] = [Said(status=302, headers={"Location": f"{files.url}{FILE}"})]
    assert "not registered" in failure(exporting)
    assert not files.asked


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_link_that_expired_is_renewed(exporting: Ehr, exporter: BulkEhr, status: int) -> None:
    exporter.manifest["requiresAccessToken"] = False
    exporter.next[f"GET {FILE}"] = [Said(status=status)]
    assert reasons(gone_on(opened(exporting))) == THE_CAST
    assert (exporter.times("GET", STATUS), exporter.exports) == (2, 1)


def test_a_new_link_that_opens_nothing_is_said(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.next[f"GET {FILE}"] = [Said(status=410) for _ in range(4)]
    assert "though its link is new" in failure(exporting)


@pytest.mark.parametrize("kind", ["text/html", "application/fhir+json"])
def test_what_is_not_ndjson_is_not_read(exporting: Ehr, exporter: BulkEhr, kind: str) -> None:
    exporter.next[f"GET {FILE}"] = [Said(body=b"<html>", headers={"Content-Type": kind})]
    assert f"is {kind}, not NDJSON" in failure(exporting)


def test_a_file_that_breaks_off_is_fetched_again(exporting: Ehr, exporter: BulkEhr) -> None:
    whole = exporter.files["Patient.ndjson"]
    exporter.next[f"GET {FILE}"] = [Said(body=whole, headers={"Content-Type": NDJSON}, cut=True)]
    assert reasons(gone_on(opened(exporting))) == THE_CAST
    assert exporter.times("GET", FILE) == 2


def test_a_file_with_fewer_lines_than_promised_is_never_taken_for_whole(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.manifest["output"] = [exporter.item("Patient.ndjson", count=7)]
    exporter.next[f"GET {FILE}"] = [
        Said(status=503, headers=LATER),
        *(Said(body=exporter.files["Patient.ndjson"], headers={"Content-Type": NDJSON}) for _ in range(5)),
    ]
    assert failure(exporting) == "A file of the export has 6 lines, and 7 were promised."


def test_a_file_that_ends_within_a_line_is_fetched_again(exporting: Ehr, exporter: BulkEhr) -> None:
    whole = exporter.files["Patient.ndjson"]
    exporter.manifest["output"][0].pop("count")
    exporter.next[f"GET {FILE}"] = [Said(body=whole[:-20], headers={"Content-Type": NDJSON})]
    assert reasons(gone_on(opened(exporting))) == THE_CAST


def test_a_last_line_without_its_end_is_whole_if_it_is_json(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.files["Patient.ndjson"] = exporter.files["Patient.ndjson"].rstrip(b"\n")
    assert reasons(gone_on(opened(exporting))) == THE_CAST
    assert exporter.times("GET", FILE) == 1


def test_gzip_is_inflated(exporting: Ehr, exporter: BulkEhr) -> None:
    zipped = gzip.compress(exporter.files["Patient.ndjson"])
    exporter.next[f"GET {FILE}"] = [Said(body=zipped, headers={"Content-Type": NDJSON, "Content-Encoding": "gzip"})]
    assert reasons(gone_on(opened(exporting))) == THE_CAST
    assert "gzip" in exporter.last("GET", FILE).headers["accept-encoding"]


def test_a_gzip_bomb_ends_at_the_limit_and_leaves_nothing_on_the_disk(
    exporting: Ehr, exporter: BulkEhr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "FILE_BYTES", 5_000_000)
    bomb = gzip.compress(b" " * 60_000_000, 1)
    assert len(bomb) < 500_000
    exporter.next[f"GET {FILE}"] = [Said(body=bomb, headers={"Content-Type": NDJSON, "Content-Encoding": "gzip"})]
    run = opened(exporting)
    tracemalloc.start()
    gone_on(run)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (run.state, run.error) == (State.FAILED, "A file of the export is larger than 0.005 GB.")
    assert most < 30_000_000
    assert sum(file.stat().st_size for file in run.spool.rglob("Patient*")) == 0


def test_a_full_disk_is_named(exporting: Ehr, exporter: BulkEhr, settings: Settings) -> None:
    settings.BULK_FREE_BYTES = 10**18
    assert failure(exporting) == "The records could not be read or kept: No space left on device."


def test_files_are_for_their_owners_eyes_and_not_fetched_twice(exporting: Ehr, exporter: BulkEhr) -> None:
    run = opened(exporting)
    for step in sweep(run, run.folder):
        if isinstance(step, Fetching) and step.words.startswith("Observation"):
            assert pause(run, why="lunch", actor="it")
    there = [file for file in run.spool.rglob("*") if file.is_file()]
    assert there
    assert {file.stat().st_mode & 0o777 for file in there} == {0o600}
    assert {folder.stat().st_mode & 0o777 for folder in (run.spool.parent, run.spool, run.folder)} == {0o700}
    whole = ExportFile.objects.exclude(sha256="").count()
    assert resume(run, why="back", actor="it")
    assert gone_on(run).state == State.DONE
    assert whole
    again = {name for name in exporter.files if exporter.times("GET", f"/files/{name}") > 1}
    assert again <= {"Observation.ndjson"}


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
