"""Clinicians' lists of patients, from a folder of NDJSON to the worklist's filter and its CSV."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cds.models import Ehr, PopulationRun
from cds.population import sweep
from cds.population.publish import as_csv
from cds.population.worklist import Wanted, choices, worklist
from tests.cds.population.conftest import asked, exported

REYES = {"reference": "Practitioner/reyes", "display": "Dr. Reyes"}


def listing(name: str, *people: str, **more: Any) -> dict[str, Any]:
    entries = [{"item": {"reference": f"Patient/{one}"}} for one in people]
    return {"resourceType": "List", "id": name, "status": "current", "mode": "working", "entry": entries, **more}


def people(run: PopulationRun, panel: str) -> set[str]:
    rows = worklist(run, Wanted(everybody=True, panel=panel))
    return {bytes(row.patient_id or b"").decode() for row in rows}


def test_a_patient_is_found_by_each_list_and_in_the_csv_stands_with_all(ehr: Ehr, folder: Path) -> None:
    mine = listing("1", "ada", "bruno", title="My patients", source=REYES)
    run = asked(
        exported(folder, [mine, listing("12", "ada", "https://h.example/fhir/Patient/nobody", title="Ward 3")]), ehr
    )
    assert choices(run)["panel"] == [("List/1", "My patients (Dr. Reyes)"), ("List/12", "Ward 3")]
    assert [people(run, one) for one in ("List/1", "List/12", "List/2")] == [{"ada", "bruno"}, {"ada"}, set()]
    (ada,) = csv.DictReader(as_csv(worklist(run, Wanted(panel="List/12"))))
    assert (ada["patient"], ada["panel"]) == ("ada", "My patients (Dr. Reyes); Ward 3")
    assert run.files["List.ndjson"] == {"lines": 2, "used": 0, "flaws": {}}


def test_who_has_a_general_practitioner_stands_on_both_panels(ehr: Ehr, folder: Path) -> None:
    named = [
        {"reference": "https://h.example/fhir/Practitioner/reyes", "display": "Dr. Reyes"},
        {"display": "Dr. Osei"},
    ]
    ada = {"resourceType": "Patient", "id": "ada", "generalPractitioner": named}
    (folder / "Patient.ndjson").write_text(json.dumps(ada))
    run = asked(exported(folder, [listing("1", "ada")]), ehr)
    assert choices(run)["panel"] == [
        ("Dr. Osei", "Dr. Osei"),
        ("Practitioner/reyes", "Dr. Reyes"),
        ("List/1", "List/1"),
    ]
    assert all(people(run, one) == {"ada"} for one, _ in choices(run)["panel"])


@pytest.mark.parametrize("more", [{"status": "retired"}, {"status": "entered-in-error"}, {"mode": "changes"}])
def test_a_list_that_is_not_of_today_is_no_panel(more: dict[str, str], ehr: Ehr, folder: Path) -> None:
    assert not choices(asked(exported(folder, [listing("1", "ada", **more)]), ehr))["panel"]


def test_of_a_list_in_two_lines_the_newest_counts_and_who_was_deleted_from_it_is_not_on_it(
    ehr: Ehr, folder: Path
) -> None:
    new, old = {"lastUpdated": "2026-05-02T00:00:00Z"}, {"lastUpdated": "2026-05-01T00:00:00Z"}
    left = {"item": {"reference": "Patient/bruno"}, "deleted": True}
    newer = listing("1", "ada", meta=new)
    newer["entry"].append(left)
    run = asked(exported(folder, [newer, listing("1", "chen", meta=old)]), ehr)
    assert people(run, "List/1") == {"ada"}


def test_what_is_no_list_stops_nothing_and_is_said(ehr: Ehr, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "2.List.ndjson").write_text(
        '{"resourceType": "List", "entry": 7}\n\n{"resourceType": "Basic", "id": "x"}\n'
    )
    run = asked(exported(folder, [listing("1", "ada")]), ehr)
    assert people(run, "List/1") == {"ada"}
    assert [record.getMessage() for record in caplog.records if "List" in record.getMessage()] == [
        "2.List.ndjson, line 1: not a List that can be read"
    ]


@pytest.mark.parametrize("content", [b"no archive at all", gzip.compress(b"{}\n" * 99)[:-6]], ids=["other", "torn"])
def test_an_archive_of_lists_that_is_broken_is_passed_over_and_said(
    ehr: Ehr, folder: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (folder / "2.List.ndjson.gz").write_bytes(content)
    run = asked(exported(folder, [listing("1", "ada")]), ehr)
    assert run.state == PopulationRun.State.DONE
    assert people(run, "List/1") == {"ada"}
    assert "2.List.ndjson.gz breaks off" in caplog.text


def test_a_run_does_not_go_on_without_lists_that_it_began_with(ehr: Ehr, folder: Path) -> None:
    run = asked(exported(folder, [listing("1", "ada")]), ehr)
    (folder / "List.ndjson").unlink()
    PopulationRun.objects.filter(pk=run.pk).update(state=PopulationRun.State.PAUSED)
    again = PopulationRun.objects.get(pk=run.pk)
    for _ in sweep(again, folder):
        pass
    assert (again.state, again.error) == (
        PopulationRun.State.FAILED,
        "The folder's lists of patients are there no more: begin anew.",
    )
