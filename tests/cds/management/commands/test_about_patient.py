"""Who asks what is kept about them gets all of it, in clear, and nothing of anybody else."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.models import Model

from cds import audit, registry
from cds.context import PatientContext
from cds.facts import Person
from cds.management.commands.about_patient import kept
from cds.models import Assessment, AuditEntry, Ehr, Feedback, PopulationResult, WriteBack
from cds.opt_out import opt_out
from cds.population import open_run
from smartapp.models import SmartSession

NAMES_NOBODY_FOR_LONG = {SmartSession}  # closed within minutes


@pytest.fixture
def answers(ehr: Ehr) -> None:
    """One about each of two patients, with what came of it."""
    run = open_run(registry.get("diabetes-risk"), ehr=ehr)
    for patient in ("ada", "bruno"):
        context, key = PatientContext(patient=Person(id=patient), now=ehr.now()), ehr.pseudonym(patient)
        answer = Assessment.objects.create(
            ehr=ehr,
            service_id="diabetes-risk",
            threshold=0.1,
            fingerprint=patient,
            patient_key=key,
            snapshot=context.as_json(),
            result=b'{"said": "so"}',
        )
        WriteBack.objects.create(assessment=answer, target="archive", payload=b"\xff\xfe")
        comment = f"of {patient}".encode()
        Feedback.objects.create(ehr=ehr, assessment=answer, outcome="wrong", outcome_at=ehr.now(), comment=comment)
        PopulationResult.objects.create(run=run, pseudonym=key, patient_id=patient.encode(), outcome="scored")
        audit.record("view", actor="a", ehr=ehr, patient_id=patient)


def told(monkeypatch: pytest.MonkeyPatch, *ids: str, ehr: str) -> dict[str, list[Any]]:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(ids)))
    shown = io.StringIO()
    call_command("about_patient", ehr, stdout=shown)
    rows: dict[str, list[Any]] = {}
    for line in map(json.loads, shown.getvalue().splitlines()):
        rows.setdefault(line.pop("table"), []).append(line)
    return rows


def test_all_that_is_kept_is_told_in_clear(answers: None, ehr: Ehr, monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(monkeypatch, "ada", ehr=ehr.name)
    (answer,), (sent,), (said,) = (found[f"cds.{one}"] for one in ("Assessment", "WriteBack", "Feedback"))
    assert answer["snapshot"]["patient"]["id"] == "ada"
    assert answer["result"] == {"said": "so"}
    assert sent["payload"] == "2 bytes"
    assert said["comment"] == "of ada"
    assert found["cds.PopulationResult"][0]["patient_id"] == "ada"
    assert [entry["action"] for entry in found["cds.AuditEntry"]] == ["view", "access-request"]


def test_nothing_of_anybody_else_is_told(answers: None, ehr: Ehr, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "bruno" not in json.dumps(told(monkeypatch, "ada", ehr=ehr.name))


def test_of_who_opted_out_the_facts_are_gone_and_the_no_is_told(
    answers: None, ehr: Ehr, monkeypatch: pytest.MonkeyPatch
) -> None:
    opt_out(ehr, "ada", actor="a")
    found = told(monkeypatch, "ada", ehr=ehr.name)
    assert found["cds.Assessment"][0]["snapshot"] is None
    assert len(found["cds.OptOut"]) == 1


def test_each_asking_is_audited(ehr: Ehr, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, "ada", "", "bruno", ehr=ehr.name)
    keys = AuditEntry.objects.filter(action="access-request").order_by("pk").values_list("patient_key", flat=True)
    assert list(keys) == [ehr.pseudonym("ada"), ehr.pseudonym("bruno")]


def test_an_unknown_hospital_is_said_to_be_unknown(db: None) -> None:
    with pytest.raises(CommandError, match="no EHR of this name"):
        call_command("about_patient", "nowhere")


def about_somebody(model: type[Model]) -> bool:
    """By its fields: a pseudonym, or an answer that it belongs to."""
    names = {field.name for field in model._meta.concrete_fields}
    return bool(names & {"patient_key", "pseudonym"}) or any(
        field.related_model is Assessment for field in model._meta.concrete_fields
    )


def test_no_table_is_forgotten(ehr: Ehr) -> None:
    asked = {rows.model for rows in kept(ehr, "k")}
    assert {model for model in apps.get_models() if about_somebody(model)} - asked <= NAMES_NOBODY_FOR_LONG


@pytest.mark.parametrize("model", [one for one in apps.get_models() if about_somebody(one)])
def test_each_table_stands_in_the_page_for_the_data_protection_officer(model: type[Model]) -> None:
    assert f"`{model.__name__}`" in (settings.BASE_DIR / "docs" / "privacy.md").read_text()
