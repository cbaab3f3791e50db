"""A patient who says no: nothing unfinished is finished, no facts are kept, and it can be taken back."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from cds import registry, tasks
from cds.context import PatientContext
from cds.facts import Person
from cds.models import Assessment, AuditEntry, Ehr, OptOut, Replayed
from cds.opt_out import opt_out, withdraw

SERVICE = registry.get("diabetes-risk")
Status = Assessment.Status


def opened(ehr: Ehr, patient: str = "p1") -> Assessment:
    context = PatientContext(patient=Person(id=patient), now=ehr.now())
    return Assessment.objects.create(
        ehr=ehr,
        service_id=SERVICE.id,
        threshold=0.1,
        fingerprint=context.fingerprint(),
        patient_key=ehr.pseudonym(patient),
        snapshot=context.as_json(),
    )


def test_only_that_patient_at_that_hospital_is_out(ehr: Ehr) -> None:
    opt_out(ehr, "p1", actor="a")
    other = Ehr.objects.create(name="Other", fhir_base="https://o.example/fhir", hook_issuer="https://o.example")
    assert ehr.opted_out("p1")
    assert not ehr.opted_out("p2")
    assert not other.opted_out("p1")


def test_only_a_keyed_hash_of_the_id_is_kept_and_it_is_audited(ehr: Ehr) -> None:
    assert opt_out(ehr, "patient-number-7", actor="a")
    assert not opt_out(ehr, "patient-number-7", actor="a")
    assert "patient-number-7" not in str(OptOut.objects.values_list())
    entry = AuditEntry.objects.get(action="opt-out")
    assert entry.patient_key == ehr.pseudonym("patient-number-7")


def test_what_was_queued_is_not_scored(ehr: Ehr) -> None:
    assessment = opened(ehr)
    opt_out(ehr, "p1", actor="a")
    tasks.assess(str(assessment.id))
    assessment.refresh_from_db()
    assert (assessment.status, assessment.result) == (Status.EXPIRED, None)


def test_the_facts_that_were_kept_go_and_those_of_others_stay(ehr: Ehr) -> None:
    mine, another = opened(ehr), opened(ehr, "p2")
    for assessment in (mine, another):
        Replayed.objects.create(assessment=assessment, verdict="same", report=b"what a reviewer was shown")
    opt_out(ehr, "p1", actor="a")
    assert Replayed.objects.get().assessment == another
    mine.refresh_from_db()
    another.refresh_from_db()
    assert mine.snapshot is None
    assert mine.snapshot_hmac
    assert another.snapshot


def test_under_a_legal_hold_the_facts_stay(ehr: Ehr, settings: Any) -> None:
    settings.AUDIT_HOLD = True
    assessment = opened(ehr)
    opt_out(ehr, "p1", actor="a")
    assessment.refresh_from_db()
    assert assessment.snapshot


def test_who_says_yes_again_the_same_day_is_assessed_anew(ehr: Ehr) -> None:
    before = opened(ehr)
    opt_out(ehr, "p1", actor="a")
    withdraw(OptOut.objects.get(), actor="a")
    assert not ehr.opted_out("p1")
    assert not Assessment.objects.filter(fingerprint=before.fingerprint).exists()
    assert AuditEntry.objects.filter(action="opt-in", patient_key=ehr.pseudonym("p1")).exists()


# --- The command
def command(ehr: str, ids: str, monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    said = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(ids))
    call_command("opt_out", ehr, *options, stdout=said)
    return said.getvalue()


def test_the_command_reads_ids_and_says_how_many_but_not_whom(ehr: Ehr, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(ehr.name, "p1\n\np2\n", monkeypatch) == "2 read, 2 changed.\n"
    assert ehr.opted_out("p1")
    assert ehr.opted_out("p2")
    assert command(ehr.name, "p1\np3\n", monkeypatch, "--withdraw") == "2 read, 1 changed.\n"
    assert not ehr.opted_out("p1")


def test_the_command_refuses_an_unknown_ehr(ehr: Ehr, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError):
        command("Nowhere", "p1", monkeypatch)


# --- The admin
@pytest.fixture
def administrator(db: None) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_an_administrator_enters_the_id_and_it_is_never_shown_again(administrator: Client, ehr: Ehr) -> None:
    entered = {"ehr": str(ehr.pk), "patient_id": "patient-number-7"}
    assert administrator.post(reverse("admin:cds_optout_add"), entered).status_code == 302
    assert administrator.post(reverse("admin:cds_optout_add"), entered).status_code == 302
    assert ehr.opted_out("patient-number-7")
    pages = administrator.get(reverse("admin:cds_optout_changelist")).content.decode()
    pages += administrator.get(reverse("admin:index")).content.decode()
    assert OptOut.objects.get().patient_key in pages
    assert "patient-number-7" not in pages


def test_an_administrator_withdraws_it_and_that_is_audited(administrator: Client, ehr: Ehr) -> None:
    opt_out(ehr, "p1", actor="a")
    address = reverse("admin:cds_optout_delete", args=[OptOut.objects.get().pk])
    assert administrator.post(address, {"post": "yes"}).status_code == 302
    assert not ehr.opted_out("p1")
    assert AuditEntry.objects.filter(action="opt-in").exists()
