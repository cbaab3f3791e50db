"""How far a batch is, what came of it, and that it is nobody else's."""

from __future__ import annotations

import gzip
import json
import logging
import re
import uuid
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from cds import tasks
from cds.bulk.accounts import LISTED
from cds.codes import OBSERVATION_CATEGORY
from cds.fhir.write import require_valid
from cds.models import AuditEntry, Ehr, OptOut, PopulationResult, PopulationRun
from cds.opt_out import opt_out
from cds.population import pause, sweep
from smartapp.backend.models import Batch
from smartapp.backend.scopes import PREDICT, READ_RESULTS
from smartapp.demo_ehr.cast import read_cast
from tests.conftest import forget
from tests.smartapp.backend.batch.asking import THE_CAST, Asking, ndjson, work
from tests.smartapp.backend.test_predict import issues

RXNORM, LOINC = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://loinc.org"
ON_METFORMIN = ndjson(
    [
        {"resourceType": "Patient", "id": "m", "birthDate": "1950-01-01", "gender": "male"},
        {
            "resourceType": "MedicationRequest",
            "id": "drug",
            "status": "active",
            "intent": "order",
            "subject": {"reference": "Patient/m"},
            "authoredOn": timezone.now().date().isoformat(),
            "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": "860975"}], "text": "metformin 500 mg"},
        },
        {
            "resourceType": "Observation",
            "id": "egfr",
            "status": "final",
            "category": [{"coding": [{"system": OBSERVATION_CATEGORY, "code": "laboratory"}]}],
            "code": {"coding": [{"system": LOINC, "code": "98979-8"}]},
            "subject": {"reference": "Patient/m"},
            "effectiveDateTime": (timezone.now() - timedelta(days=3)).date().isoformat(),
            "valueQuantity": {"value": 22, "unit": "mL/min/{1.73_m2}", "code": "mL/min/{1.73_m2}"},
        },
    ]
)


def subject(line: dict[str, Any]) -> str:
    if line["resourceType"] == "RiskAssessment":
        return str(line["subject"]["reference"])
    extensions = line["issue"][0].get("extension", [])
    assert all(one["url"] == "https://bedside.dev/fhir/StructureDefinition/patient" for one in extensions)
    return str(extensions[0]["valueReference"]["reference"]) if extensions else ""


# --- What came of it -----------------------------------------------------------------------------------------------
def test_a_patient_is_in_one_of_the_two_files_with_a_result_or_a_reason(asking: Asking) -> None:
    found = asking.fetched(asking.done())
    assert {subject(line) for line in found["RiskAssessment"]} == {"Patient/ada", "Patient/bruno", "Patient/farah"}
    reasons = {subject(line): line["issue"][0]["details"]["coding"][0]["code"] for line in found["OperationOutcome"]}
    assert reasons == {"Patient/chen": "screening-due", "Patient/dara": "diagnosed", "Patient/emil": "child"}


def test_each_line_is_valid_fhir_and_says_that_nobody_confirmed_it(asking: Asking) -> None:
    found = asking.fetched(asking.done())
    for line in (*found["RiskAssessment"], *found["OperationOutcome"]):
        require_valid(line)
    assert {line["status"] for line in found["RiskAssessment"]} == {"preliminary"}
    assert all(line["contained"][0]["resourceType"] == "Device" for line in found["RiskAssessment"])


def test_a_risk_is_the_one_that_the_run_has_and_names_its_case_file(asking: Asking, ehr: Ehr) -> None:
    found = {subject(line): line for line in asking.fetched(asking.done())["RiskAssessment"]}
    row = PopulationResult.objects.get(pseudonym=ehr.pseudonym("ada"))
    ada = found["Patient/ada"]
    assert ada["prediction"][0]["probabilityDecimal"] == pytest.approx(100 * (row.probability or 0), abs=0.06)
    assert ada["identifier"][0]["value"] == str(row.assessment_id)
    assert found["Patient/bruno"]["identifier"][0]["system"].endswith("/population-result")


def test_where_a_rule_spoke_and_no_model_it_is_said_in_words(asking: Asking) -> None:
    (line,) = asking.fetched(asking.done(ON_METFORMIN, query="?service=metformin-renal"))["RiskAssessment"]
    require_valid(line)
    assert "probabilityDecimal" not in line["prediction"][0]
    assert line["prediction"][0]["rationale"]
    assert line["basis"] == [{"reference": "Observation/egfr"}]


def test_a_service_that_keeps_nothing_in_the_chart_answers_all_the_same(asking: Asking) -> None:
    path = asking.done(query="?service=metformin-renal")
    lines = [line for kind in asking.fetched(path).values() for line in kind]
    assert len(lines) == 6


def test_the_manifest_is_that_of_bulk_data(asking: Asking) -> None:
    path = asking.done()
    answer = asking.get(path)
    manifest, run = answer.json(), PopulationRun.objects.get()
    assert answer["Content-Type"] == "application/json"
    assert set(manifest) == {"transactionTime", "request", "requiresAccessToken", "output", "error"}
    assert manifest["requiresAccessToken"] is True
    assert manifest["transactionTime"] == run.as_of.isoformat(timespec="seconds")
    assert manifest["request"] == "http://localhost/api/fhir/$score-batch?service=diabetes-risk"
    assert manifest["output"][0] == {
        "type": "RiskAssessment",
        "url": f"http://localhost{path}/RiskAssessment.ndjson",
        "count": 3,
    }
    assert manifest["error"][0]["count"] == 3
    assert manifest == asking.manifest(path)


def test_without_anybody_to_score_the_output_is_an_empty_array(asking: Asking) -> None:
    child = [one for one in read_cast() if one.get("id") == "emil"]
    manifest = asking.manifest(asking.done(ndjson(child)))
    assert (manifest["output"], manifest["error"][0]["count"]) == ([], 1)


def test_files_are_zipped_for_who_takes_them_so(asking: Asking) -> None:
    path = f"{asking.done()}/RiskAssessment.ndjson"
    zipped = asking.get(path, **{"Accept-Encoding": "gzip"})
    assert zipped["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.getvalue()) == asking.get(path).getvalue()
    assert zipped["Cache-Control"] == "no-store"


def test_who_opted_out_is_counted_and_not_named(asking: Asking, ehr: Ehr) -> None:
    opt_out(ehr, "ada", actor="us")
    found = asking.fetched(asking.done())
    assert "Patient/ada" not in json.dumps(found)
    assert "" in {subject(line) for line in found["OperationOutcome"]}
    assert sum(map(len, found.values())) == 6


def test_each_line_that_could_not_be_used_is_named_and_many_are_counted(asking: Asking) -> None:
    broken = b'{"resourceType": "Observation", "id": 4711\n' * (LISTED + 7)
    found = asking.fetched(asking.done(THE_CAST + broken))
    said = [line["issue"][0]["diagnostics"] for line in found["OperationOutcome"] if "diagnostics" in line["issue"][0]]
    first = THE_CAST.count(b"\n") + 1
    assert said[0].startswith(f"part-001.ndjson, line {first}: ")
    assert len(said) == LISTED + 1
    assert "7 more lines" in said[-1]
    assert "4711" not in str(said)


def test_what_was_found_is_encrypted_at_rest(asking: Asking) -> None:
    from django.db import connection

    asking.done()
    with connection.cursor() as cursor:
        cursor.execute("SELECT resource FROM cds_populationresult")
        assert all(b"Patient/" not in bytes(row[0]) for row in cursor.fetchall())


# --- While it is under way -----------------------------------------------------------------------------------------
def test_until_then_it_says_how_far_it_is(asking: Asking) -> None:
    path = asking.begun()
    answer = asking.get(path)
    assert (answer.status_code, answer.content) == (202, b"")
    assert 0 < len(answer["X-Progress"]) < 100
    assert int(answer["Retry-After"]) > 0
    PopulationRun.objects.update(state="scoring", patients=6, scored=2)
    forget()
    assert asking.get(path)["X-Progress"] == "2 of 6 patients"


def test_who_looks_too_often_is_told_to_wait(asking: Asking) -> None:
    path = asking.begun()
    assert asking.get(path).status_code == 202
    answer = asking.get(path)
    assert issues(answer, status=429)
    assert int(answer["Retry-After"]) > 0


def test_no_file_is_handed_out_before_all_of_it_is_there(asking: Asking) -> None:
    path = asking.begun()
    assert issues(asking.get(f"{path}/RiskAssessment.ndjson"), status=404)


def test_a_batch_that_an_administrator_pauses_waits(asking: Asking) -> None:
    path = asking.begun()
    pause(PopulationRun.objects.get(), why="maintenance", actor="us")
    work()
    assert asking.get(path)["X-Progress"] == "Paused"


def test_a_batch_that_failed_says_why_and_names_no_path(asking: Asking, spool: Path) -> None:
    path = asking.begun()
    for file in PopulationRun.objects.get().spool.iterdir():
        file.write_bytes(b"{\n")
    PopulationRun.objects.update(state="failed", error=f"{PopulationRun.objects.get().spool}/x cannot be read")
    said = issues(asking.get(path), status=500)[0]["diagnostics"]
    assert "the upload/x cannot be read" in said
    assert str(spool) not in said


def test_a_batch_that_an_administrator_cancelled_is_gone(asking: Asking) -> None:
    path = asking.begun()
    PopulationRun.objects.update(wish="cancel")
    work()
    assert issues(asking.get(path), status=410)


# --- Whose it is ---------------------------------------------------------------------------------------------------
def test_another_callers_batch_is_not_there(asking: Asking, other: Asking) -> None:
    path = asking.done()
    for answer in (other.get(path), other.get(f"{path}/RiskAssessment.ndjson"), other.delete(path)):
        assert issues(answer, status=404)
    assert asking.manifest(path)


@pytest.mark.parametrize("kind", ["Patient", "passwd", "..%2f..%2fetc%2fpasswd"])
def test_there_are_two_files_only(asking: Asking, kind: str) -> None:
    assert asking.get(f"{asking.done()}/{kind}.ndjson").status_code == 404


def test_an_id_that_nobody_gave_out_is_not_there(asking: Asking) -> None:
    assert issues(asking.get(f"/api/fhir/batches/{uuid.uuid4()}"), status=404)


def test_results_are_read_with_either_scope_and_no_other(asking: Asking) -> None:
    path = f"{asking.done()}/RiskAssessment.ndjson"
    assert asking.get(path, READ_RESULTS).status_code == 200
    assert issues(asking.get(path, PREDICT), status=403)
    assert asking.outside.web.get(path).status_code == 401


def test_reading_is_audited_and_no_log_names_anybody(asking: Asking, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    asking.fetched(asking.done())
    noted = AuditEntry.objects.filter(action="batch-read")
    assert {entry.detail["kind"] for entry in noted} == {"RiskAssessment", "OperationOutcome"}
    assert {entry.actor for entry in noted} == {asking.outside.row.actor}
    assert not re.search(r"\bada\b", caplog.text)


# --- How it ends ---------------------------------------------------------------------------------------------------
def test_a_finished_batch_that_is_deleted_is_gone_with_its_results(asking: Asking) -> None:
    path = asking.done()
    assert asking.delete(path).status_code == 202
    assert issues(asking.get(path), status=404)
    assert issues(asking.delete(path), status=404)
    assert not PopulationResult.objects.exists()


def test_a_batch_under_way_that_is_deleted_stops_and_leaves_nothing(asking: Asking, spool: Path) -> None:
    path = asking.begun()
    assert asking.delete(path).status_code == 202
    assert issues(asking.get(path), status=404)
    work()
    tasks.expire_batches()
    assert PopulationRun.objects.get().state == "cancelled"
    assert not PopulationResult.objects.exists()
    assert not [folder for folder in spool.iterdir() if folder.is_dir()]
    asking.begun()


def test_results_expire_when_they_say(asking: Asking, settings: Settings) -> None:
    settings.BATCH_HOURS = 6
    path = asking.done()
    until = parsedate_to_datetime(asking.get(path)["Expires"])
    assert timedelta(hours=5.9) < until - timezone.now() <= timedelta(hours=6)
    tasks.expire_batches()
    assert PopulationResult.objects.exists()
    PopulationRun.objects.update(finished_at=timezone.now() - timedelta(hours=6))
    assert issues(asking.get(path), status=404)
    tasks.expire_batches()
    assert not PopulationResult.objects.exists()
    assert Batch.objects.exists()


def test_who_opts_out_afterwards_is_taken_out_of_what_is_still_given_out(asking: Asking, ehr: Ehr) -> None:
    path = asking.done()
    opt_out(ehr, "ada", actor="us")
    found = asking.fetched(path)
    assert "Patient/ada" not in json.dumps(found)
    assert [len(found[kind]) for kind in ("RiskAssessment", "OperationOutcome")] == [2, 4]
    said = [require_valid(line)["issue"][0]["details"]["coding"][0]["code"] for line in found["OperationOutcome"]]
    assert "opted-out" in said
    assert PopulationResult.objects.get(pseudonym=ehr.pseudonym("ada")).resource is None


def test_under_a_legal_hold_it_is_kept_and_not_given_out(asking: Asking, ehr: Ehr, settings: Settings) -> None:
    settings.AUDIT_HOLD = True
    path = asking.done()
    opt_out(ehr, "ada", actor="us")
    assert "Patient/ada" not in json.dumps(asking.fetched(path))
    assert PopulationResult.objects.get(pseudonym=ehr.pseudonym("ada")).resource


def test_an_opt_out_that_arrives_while_the_last_block_is_answered_counts(ehr: Ehr, asking: Asking) -> None:
    path = asking.begun()
    run = PopulationRun.objects.get()
    for _ in sweep(run, run.folder, block=100):
        OptOut.objects.get_or_create(
            ehr=ehr, patient_key=ehr.pseudonym("ada")
        )  # as another process does, too late to be seen
    assert "Patient/ada" not in json.dumps(asking.fetched(path))
