"""Only those whose record changed are asked about, from their whole records; who was deleted is listed no more."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cds import registry
from cds.bulk import Fetching
from cds.bulk.changed import NOBODY, UNKNOWN, UNREAD
from cds.bulk.deleted import NOT_SO
from cds.fhir.write import ASSESSMENT
from cds.models import AuditEntry, Ehr, EnabledService, PopulationResult, PopulationRun
from cds.population import heard_until, open_run, pause, resume, sweep
from cds.population.intake import DELETED
from cds.population.worklist import Wanted, worklist
from smartapp.demo_ehr.cast import read_cast
from smartapp.demo_ehr.store import chart_store
from tests.bulk_ehr import BulkEhr, Said
from tests.cds.bulk.conftest import gone_on, opened
from tests.cds.bulk.exports import PATIENTS, STATUS, THE_CAST
from tests.cds.population.conftest import reasons

Source, State = PopulationRun.Source, PopulationRun.State
SERVICE = registry.get("diabetes-risk")
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
BY_ID = {f"{one['resourceType']}/{one['id']}": one for one in read_cast()}
GLUCOSE = BY_ID["Observation/ada-glucose-9"]


def of_changed(ehr: Ehr, group: str = "", since: datetime = BEFORE) -> PopulationRun:
    return open_run(SERVICE, ehr=ehr, source=Source.EXPORT, detail=group, since=since)


def names(exporter: BulkEhr, *output: Any, deleted: tuple[str, ...] = ()) -> None:
    """What the next exports hold: these resources (or lines), and deletions of these."""
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in output]
    entries = [{"request": {"method": "DELETE", "url": place}} for place in deleted]
    bundles = [
        json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [one]}).encode() for one in entries
    ]
    exporter.files |= {"Some.ndjson": b"\n".join(lines) + b"\n", "Bundle.ndjson": b"\n".join([*bundles, b""])}
    exporter.manifest["output"] = [exporter.item("Some.ndjson")] if lines else []
    exporter.manifest["deleted"] = [exporter.item("Bundle.ndjson")] if bundles else []


@pytest.fixture
def changing(exporting: Ehr, exporter: BulkEhr) -> Ehr:
    """It answers ordinary searches, too, as fast as it is asked."""
    exporter.searched = dict(BY_ID)
    exporting.crawl_pace = 1000.0
    exporting.save()
    return exporting


def accounts(run: PopulationRun) -> dict[str, dict[str, int]]:
    """By part, why lines were of no use."""
    return {name.partition("/")[0]: said["flaws"] for name, said in run.export.heard.items()}


def listed(run: PopulationRun, *, overtaken: bool = False) -> set[str]:
    return {bytes(row.patient_id or b"").decode() for row in worklist(run, Wanted(everybody=True, overtaken=overtaken))}


# --- From the demo hospital --------------------------------------------------------------------------------------
def test_after_everybody_only_changes_at_the_demo_hospital_are_followed(hospital: Ehr) -> None:
    hospital.crawl_pace = 1000.0
    hospital.save()
    first = gone_on(opened(hospital))
    since = heard_until(SERVICE, ehr=hospital)
    assert since is not None
    chart_store().update(chart_store().read("Observation", "bruno-bmi-6"), author="hospital")
    chart_store().delete("Observation", "ada-glucose-9")
    chart_store().delete("Patient", "farah")
    run = gone_on(of_changed(hospital, since=since))
    assert (run.state, run.error, run.patients) == (State.DONE, "", 2)
    assert reasons(run) == {"bruno": "model-low", "ada": "model-low"}  # without that glucose
    assert (accounts(run), run.flaws.count()) == ({"output": {}, "deleted": {}}, 0)
    assert listed(first) == {"chen", "dara", "emil"}
    assert listed(first, overtaken=True) == {"ada", "bruno"}  # the run since has their answers of today
    until = heard_until(SERVICE, ehr=hospital)
    assert until is not None
    assert until > since


# --- Who changed -------------------------------------------------------------------------------------------------
def test_the_export_only_names_them_and_their_whole_records_are_read(changing: Ehr, exporter: BulkEhr) -> None:
    names(exporter, GLUCOSE)
    run = gone_on(of_changed(changing))
    assert reasons(run) == {"ada": "model-high"}
    assert exporter.last("GET", PATIENTS).query["_since"] == "2026-01-01T00:00:00+00:00"
    assert AuditEntry.objects.get(action="bulk-export").detail["since"] == "2026-01-01T00:00:00+00:00"


def test_what_bedside_wrote_there_is_no_change(changing: Ehr, exporter: BulkEhr) -> None:
    names(exporter, {**GLUCOSE, "identifier": [{"system": ASSESSMENT, "value": "1"}]})
    run = gone_on(of_changed(changing))
    assert (run.state, run.patients) == (State.DONE, 0)
    assert list(run.export.heard.values()) == [{"lines": 1, "used": 0, "flaws": {}}]


def test_without_an_export_nobody_knows_who_changed(changing: Ehr, exporter: BulkEhr) -> None:
    for path in (PATIENTS, "/fhir/$export"):
        for method in ("GET", "POST"):
            exporter.next[f"{method} {path}"] = [Said.outcome(404, "not-supported")]
    run = gone_on(of_changed(changing))
    assert (run.state, run.done) == (State.FAILED, 0)
    assert "does not say who changed" in run.error


def test_a_line_that_names_nobody_is_counted_and_never_passed_over(changing: Ehr, exporter: BulkEhr) -> None:
    names(exporter, GLUCOSE, b"{nonsense", {"resourceType": "Observation", "id": "x"})
    run = gone_on(of_changed(changing))
    assert accounts(run)["output"] == {UNREAD: 1, NOBODY: 1}
    (account,) = run.export.heard.values()
    assert (account["lines"], account["used"]) == (3, 1)
    assert {(flaw.line, flaw.reason) for flaw in run.flaws.all()} == {(2, UNREAD), (3, NOBODY)}


def test_who_joined_the_group_is_asked_though_nothing_of_them_changed(changing: Ehr, exporter: BulkEhr) -> None:
    members = [{"entity": {"reference": f"Patient/{one}"}} for one in ("ada", "bruno")]
    exporter.searched["Group/some"] = {"resourceType": "Group", "id": "some", "member": members[:1]}
    assert set(reasons(gone_on(opened(changing, "some", source=Source.CRAWL)))) == {"ada"}
    exporter.searched["Group/some"]["member"] = members
    names(exporter)
    assert set(reasons(gone_on(of_changed(changing, "some")))) == {"bruno"}


def test_where_since_is_ignored_everybody_is_asked_and_a_pause_makes_no_second_export(
    changing: Ehr, exporter: BulkEhr
) -> None:
    run = of_changed(changing)
    for step in sweep(run, run.folder):
        if isinstance(step, Fetching) and step.words == "patient 3 of 6":
            assert pause(run, why="lunch", actor="it")
    assert resume(run, why="back", actor="it")
    assert reasons(gone_on(run)) == THE_CAST
    assert exporter.exports == 1


# --- Who and what was deleted ------------------------------------------------------------------------------------
def test_what_was_deleted_is_known_to_those_whose_answer_rests_on_it(changing: Ehr, exporter: BulkEhr) -> None:
    names(exporter, *BY_ID.values())
    gone_on(opened(changing))
    del exporter.searched["Observation/ada-glucose-9"]
    names(exporter, deleted=("Observation/ada-glucose-9", "Observation/nobody-knows"))
    run = gone_on(of_changed(changing))
    assert set(reasons(run)) == {"ada"}
    assert accounts(run) == {"deleted": {UNKNOWN: 1}}


@pytest.mark.parametrize("since", [None, BEFORE])
def test_who_was_deleted_leaves_every_worklist(changing: Ehr, exporter: BulkEhr, since: datetime | None) -> None:
    first = gone_on(opened(changing))
    exporter.manifest["deleted"] = []
    names(exporter, BY_ID["Patient/bruno"], deleted=("Patient/ada",))
    run = gone_on(of_changed(changing) if since else opened(changing))
    assert "ada" not in reasons(run)
    assert [row.pseudonym for row in first.results.filter(left=PopulationResult.Left.DELETED)] == [
        changing.pseudonym("ada")
    ]
    assert not worklist(first, Wanted(everybody=True)).filter(pseudonym=changing.pseudonym("ada")).exists()
    assert AuditEntry.objects.get(action="bulk-deleted").detail == {"patients": 1, "answers": 1}


def test_deletions_are_applied_after_the_output(exporting: Ehr, exporter: BulkEhr) -> None:
    everything = [one for one in BY_ID.values() if f"{one['resourceType']}.ndjson" in exporter.files]
    diabetes = [place for place, one in BY_ID.items() if place.startswith("Condition/") and "dara" in json.dumps(one)]
    names(exporter, *everything, deleted=("Patient/emil", *diabetes))
    run = gone_on(opened(exporting))
    assert set(reasons(run)) == set(THE_CAST) - {"emil"}
    assert reasons(run)["dara"] != "diagnosed"
    (account,) = run.files.values()
    theirs = sum("Patient/emil" in json.dumps(one) or one["id"] == "emil" for one in everything)
    assert account["flaws"][DELETED] == theirs + len(diabetes)
    assert account["lines"] == len(everything)


def test_what_is_no_deletion_is_counted(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.files["Bundle.ndjson"] = b'{"resourceType": "Bundle", "entry": [{"request": {"method": "PUT"}}]}\n{\n'
    exporter.manifest["deleted"] = [exporter.item("Bundle.ndjson")]
    run = gone_on(opened(exporting))
    assert reasons(run) == THE_CAST
    assert accounts(run) == {"deleted": {NOT_SO: 2}}


# --- Since when --------------------------------------------------------------------------------------------------
@pytest.fixture
def finished(exporting: Ehr) -> PopulationRun:
    return gone_on(opened(exporting))


def test_the_moment_is_that_of_the_ehrs_clock(exporting: Ehr, finished: PopulationRun) -> None:
    assert heard_until(SERVICE, ehr=exporting) == BEFORE


@pytest.mark.parametrize("said", ["", "yesterday", "2026-01-01T00:00:00"])
def test_what_is_no_instant_is_not_taken_for_one(exporting: Ehr, finished: PopulationRun, said: str) -> None:
    type(finished.export).objects.update(transaction_time=said)
    assert heard_until(SERVICE, ehr=exporting) is None


def test_another_question_has_heard_of_nobody(exporting: Ehr, finished: PopulationRun) -> None:
    assert heard_until(SERVICE, ehr=exporting, detail="some") is None
    EnabledService.objects.create(ehr=exporting, service_id=SERVICE.id, threshold=0.99)
    assert heard_until(SERVICE, ehr=exporting) is None


def test_an_export_that_failed_moves_nothing(exporting: Ehr, exporter: BulkEhr, finished: PopulationRun) -> None:
    exporter.manifest["transactionTime"] = "2026-02-01T00:00:00Z"
    exporter.next[f"GET {STATUS}"] = [Said.outcome(500, "processing")]
    exporter.next["GET /status/2"] = [Said.outcome(500, "processing")]
    assert gone_on(opened(exporting)).state == State.FAILED
    assert heard_until(SERVICE, ehr=exporting) == BEFORE
