"""Population runs in the admin: begun, steered, accounted for; the worklist by right, each look on record."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from fhir.resources.R4B import get_fhir_model_class
from pytest_django import Settings

from cds import registry
from cds.admin.population import whom
from cds.models import AuditEntry, Ehr, Export, PopulationResult, PopulationRun
from cds.population import open_run, pause, sweep
from smartapp.demo_ehr.cast import read_cast
from tests.cds.admin.people import signed_in
from tests.cds.population.conftest import asked, exported, of
from tests.naming import named

State = PopulationRun.State


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, settings: Settings) -> Path:
    settings.BULK_FOLDER = tmp_path / "spool"
    return tmp_path / "spool"


@pytest.fixture
def folder(spool: Path) -> Path:
    """Where an administrator of the server has put an export."""
    (spool / "incoming").mkdir(parents=True)
    return exported(spool / "incoming" / "november", read_cast())


@pytest.fixture
def run(ehr: Ehr, folder: Path) -> PopulationRun:
    found = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder), writes=False)
    for _ in sweep(found, folder):
        pass
    found.refresh_from_db()
    assert found.state == State.DONE
    return found


@pytest.fixture
def approver(ehr: Ehr) -> Client:
    return signed_in("Cleo", "clinical approver")


def address(name: str, *args: Any) -> str:
    return reverse(f"admin:cds_populationrun_{name}", args=args)


def text(client: Client, name: str, *args: Any, **query: Any) -> str:
    answer = client.get(address(name, *args), query)
    assert answer.status_code == 200
    return answer.content.decode()


def taken(client: Client, run: PopulationRun, form: str) -> str:
    return b"".join(client.get(address("taken", run.pk, form))).decode()


def until_over(run: PopulationRun) -> None:
    """The worker is another process: what it writes after a test would stand in the next one's way."""
    between, deadline = threading.Event(), time.monotonic() + 120
    while not PopulationRun.objects.get(pk=run.pk).over:
        assert time.monotonic() < deadline, "no worker has ended it"
        between.wait(0.1)


def test_who_has_the_right_begins_a_run_of_a_folder_that_was_put_there(
    approver: Client, ehr: Ehr, folder: Path, worker: None, transactional_db: None
) -> None:
    given = {"service_id": "diabetes-risk", "ehr": ehr.pk, "folder": str(folder), "writes": "worklist"}
    answer = approver.post(address("begin"), given)
    begun = PopulationRun.objects.get()
    assert answer["Location"] == address("change", begun.pk)
    assert (begun.writes, begun.ehr) == (False, ehr)
    until_over(begun)


def test_an_ehrs_records_are_fetched_of_everybody_or_of_who_changed_since_the_last_run(
    approver: Client, ehr: Ehr
) -> None:
    given = {"service_id": "diabetes-risk", "ehr": ehr.pk, "folder": "changed", "writes": "worklist"}
    assert "ask about everybody first" in approver.post(address("begin"), given).content.decode()
    assert not PopulationRun.objects.exists()
    service = registry.get("diabetes-risk")
    everybody = whom("everybody", ehr=ehr, service=service)
    assert everybody == {"source": "export", "detail": ""}
    Export.objects.create(run=open_run(service, ehr=ehr, **everybody), transaction_time="2026-01-01T00:00:00Z")
    PopulationRun.objects.update(state=State.DONE)
    assert whom("changed", ehr=ehr, service=service) == {**everybody, "since": datetime(2026, 1, 1, tzinfo=UTC)}


def test_no_other_folder_can_be_named(approver: Client, ehr: Ehr, folder: Path) -> None:
    given = {"service_id": "diabetes-risk", "ehr": ehr.pk, "folder": "/etc", "writes": "worklist"}
    assert "not one of the available choices" in approver.post(address("begin"), given).content.decode()
    assert not PopulationRun.objects.exists()


def test_the_page_accounts_for_everybody_with_reasons(approver: Client, run: PopulationRun) -> None:
    shown = text(approver, "change", run.pk)
    assert "6 of 6 people have their answer" in shown
    for reason in ("the model&#x27;s estimate is at or above the threshold", "diagnosed", "child"):
        assert reason in shown
    assert "hx-get" not in shown  # it is over: nothing moves


def test_while_it_moves_the_page_renews_its_part(approver: Client, ehr: Ehr, folder: Path) -> None:
    waiting = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder))
    assert address("progress", waiting.pk) in text(approver, "change", waiting.pk)
    assert "being read" in text(approver, "progress", waiting.pk)


def test_the_words_of_the_ehr_about_its_export_are_shown_while_it_writes_it(approver: Client, ehr: Ehr) -> None:
    run = open_run(registry.get("diabetes-risk"), ehr=ehr, source=PopulationRun.Source.EXPORT)
    Export.objects.create(run=run, progress="<b>half</b> done")
    PopulationRun.objects.update(state=State.FETCHING)
    assert "“&lt;b&gt;half&lt;/b&gt; done”" in text(approver, "progress", run.pk)


def test_it_is_paused_resumed_and_cancelled_with_a_reason(
    approver: Client, ehr: Ehr, folder: Path, worker: None, transactional_db: None
) -> None:
    run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder))
    page = address("change", run.pk)
    assert approver.post(page, {"do": "pause", "steer-why": ""}).status_code == 200
    approver.post(page, {"do": "pause", "steer-why": "lunch"})
    for _ in sweep(run, folder):
        pass
    run.refresh_from_db()
    assert (run.state, run.reason) == (State.PAUSED, "lunch")
    approver.post(page, {"do": "cancel", "steer-why": "wrong folder"})
    run.refresh_from_db()
    assert run.wish == PopulationRun.Wish.CANCEL
    assert AuditEntry.objects.filter(action="sweep-cancel", detail__reason="wrong folder").exists()


def test_who_only_looks_steers_nothing_and_sees_nobody(run: PopulationRun, ehr: Ehr) -> None:
    auditor = signed_in("Ada", "auditor")
    waiting = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=run.detail)
    assert auditor.post(address("change", waiting.pk), {"do": "pause", "steer-why": "x"}).status_code == 403
    for name in ("begin", "worklist", "taken"):
        args = {"begin": (), "worklist": (run.pk,), "taken": (run.pk, "csv")}[name]
        assert auditor.get(address(name, *args)).status_code == 403
    assert auditor.get(address("report", run.pk)).status_code == 200


def test_the_worklist_shows_who_alerts_the_highest_risk_first_and_each_look_is_on_record(
    approver: Client, run: PopulationRun, ehr: Ehr
) -> None:
    shown = text(approver, "worklist", run.pk)
    assert "ada" in shown
    assert "bruno" not in shown
    alerting = set(run.results.filter(alerts=True).values_list("pseudonym", flat=True))
    seen = set(AuditEntry.objects.filter(action="view-worklist").values_list("patient_key", flat=True))
    assert seen == alerting


@pytest.mark.parametrize(
    ("query", "people"),
    [
        ({"everybody": "on", "reason": "model-low"}, {"bruno"}),
        ({"everybody": "on", "youngest": "18", "sex": "male", "reason": "diagnosed"}, set()),
        ({"untested_months": "12"}, {"chen", "ada"}),
    ],
)
def test_filters_narrow_it(query: dict[str, str], people: set[str], approver: Client, run: PopulationRun) -> None:
    if "untested_months" in query:
        PopulationResult.objects.filter(run=run).exclude(reason__in=["model-high", "screening-due"]).update(
            last_test=run.as_of.date()
        )
        PopulationResult.objects.filter(run=run, reason__in=["model-high", "screening-due"]).update(last_test=None)
    answer = approver.get(address("worklist", run.pk), query)
    assert {one["patient"] for one in answer.context["rows"]} == people


def test_a_person_is_shown_with_the_factors_of_the_answer(approver: Client, run: PopulationRun) -> None:
    row = run.results.get(reason="model-high")
    shown = text(approver, "person", run.pk, row.pk)
    assert "Contributions to the estimate" in shown
    assert "Starting point" in shown
    assert AuditEntry.objects.filter(action="view-worklist-person", patient_key=row.pseudonym).count() == 1


def test_people_who_may_not_be_listed_have_no_page(approver: Client, run: PopulationRun) -> None:
    PopulationResult.objects.filter(run=run, reason="model-high").update(patient_id=None)
    row = run.results.get(reason="model-high")
    assert approver.get(address("person", run.pk, row.pk)).status_code == 404
    assert not named(text(approver, "worklist", run.pk, everybody="on"), "ada")


def test_csv_has_the_same_people_and_computes_nothing_in_a_spreadsheet(approver: Client, run: PopulationRun) -> None:
    PopulationResult.objects.filter(run=run, reason="model-high").update(panel="Practitioner/1", panel_name="=1+1")
    answer = approver.get(address("taken", run.pk, "csv"))
    content = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    lines = list(csv.DictReader(io.StringIO(content)))
    assert len(lines) == run.results.filter(alerts=True).count()
    ada = next(line for line in lines if line["patient"] == "ada")
    assert (ada["panel"], ada["alert"]) == ("'=1+1", "yes")
    assert AuditEntry.objects.filter(action="take-worklist-csv").count() == len(lines)


def test_who_has_a_newer_answer_is_shown_with_it_and_given_out_once(
    approver: Client, run: PopulationRun, ehr: Ehr, spool: Path
) -> None:
    later = asked(exported(spool / "later", of("ada")), ehr)
    shown = text(approver, "worklist", run.pk)
    assert ">ada<" not in shown
    assert "Of 1 more a later run has a newer answer" in shown
    shown = text(approver, "worklist", run.pk, overtaken="on")
    newer = address("person", later.pk, later.results.get().pk)
    assert f'<a href="{newer}">Newer answer of ' in shown
    assert "CSV" not in shown
    assert newer in text(approver, "person", run.pk, run.results.get(reason="model-high").pk)
    for form in ("csv", "group", "list"):
        assert ["ada" in taken(approver, one, form) for one in (run, later)] == [False, True]
        assert approver.get(address("taken", run.pk, form), {"overtaken": "on"}).status_code == 404


def test_a_newer_answer_that_lists_them_no_more_has_no_link(
    approver: Client, run: PopulationRun, ehr: Ehr, spool: Path
) -> None:
    later = asked(exported(spool / "later", of("ada")), ehr)
    later.results.update(patient_id=None, alerts=False)
    assert "which lists them no more (no alert)" in text(approver, "worklist", run.pk, overtaken="on")


@pytest.mark.parametrize(("form", "kind"), [("group", "Group"), ("list", "List")])
def test_a_fhir_group_and_list_name_the_same_people(form: str, kind: str, approver: Client, run: PopulationRun) -> None:
    resource = json.loads(approver.get(address("taken", run.pk, form)).content)
    get_fhir_model_class(kind).model_validate(resource)
    found = resource["member"] if kind == "Group" else resource["entry"]
    people = {one["entity" if kind == "Group" else "item"]["reference"] for one in found}
    listed = {f"Patient/{row.patient_id.decode()}" for row in run.results.filter(alerts=True) if row.patient_id}
    assert people == listed


def test_nobody_is_a_valid_list_too(approver: Client, run: PopulationRun) -> None:
    run.results.update(alerts=False)
    resource = json.loads(approver.get(address("taken", run.pk, "list")).content)
    get_fhir_model_class("List").model_validate(resource)
    assert resource["emptyReason"]


def test_the_report_hides_small_groups_and_names_nobody(run: PopulationRun) -> None:
    shown = text(signed_in("Ada", "auditor"), "report", run.pk)
    assert "hidden" in shown
    assert not named(shown.replace("Ada", ""), "ada")
    assert 'src="data:image/svg+xml' in shown


def test_a_run_that_stopped_says_why_and_what_to_do(approver: Client, ehr: Ehr, folder: Path) -> None:
    run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder))
    PopulationRun.objects.filter(pk=run.pk).update(state=State.FAILED, error="The disk is full.")
    shown = text(approver, "change", run.pk)
    assert "The disk is full." in shown
    assert "Resume" in shown
    assert not pause(run, why="x", actor="it")
