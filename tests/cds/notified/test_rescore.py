"""Asking again about one patient: the same line as for everybody, with our own access."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from cds import assess, registry, writeback
from cds.finding import Finding
from cds.models import Assessment, AuditEntry, Ehr, EnabledService, Merge, Rescoring, WriteBack
from cds.notified import due_rescorings, rescore
from cds.notified.due import AT_ONCE
from cds.notified.owed import owe
from cds.opt_out import opt_out
from scoring import shelf
from scoring.models import ModelVersion
from smartapp.demo_ehr.store import chart_store
from tests.cds.notified.notices import measured

SERVICE = "diabetes-risk"


def asked(ehr: Ehr, patient: str) -> list[str]:
    """Told of, its time come, and asked about."""
    owe(ehr, patient)
    Rescoring.objects.update(due_at=timezone.now())
    (row_id,) = due_rescorings()
    return rescore(row_id)


def relabelled(patient: str, **changed: Any) -> None:
    store = chart_store()
    store.update({**store.read("Patient", patient), **changed}, author="hospital")


def test_a_new_result_gives_a_new_answer(hospital: Ehr) -> None:
    (before,) = asked(hospital, "ada")
    assess.assess(before)
    measured("ada", value=7.1)
    Rescoring.objects.all().delete()
    (after,) = asked(hospital, "ada")
    assess.assess(after)
    outcome = Assessment.objects.get(pk=after).outcome
    assert isinstance(outcome, Finding)
    assert outcome.rule != Assessment.objects.get(pk=before).outcome.rule  # type: ignore[union-attr]
    row = Rescoring.objects.get()
    assert (row.due_at, row.patient_id, row.failure) == (None, None, "")


def test_the_same_facts_are_not_computed_again(hospital: Ehr) -> None:
    (first,) = asked(hospital, "ada")
    assess.assess(first)
    Rescoring.objects.all().delete()
    assert asked(hospital, "ada") == []
    assert AuditEntry.objects.filter(action="rescore", patient_key=hospital.pseudonym("ada")).count() == 2


def test_by_policy_the_answer_is_written_back(hospital: Ehr) -> None:
    EnabledService.objects.filter(ehr=hospital, service_id=SERVICE).update(write_back="auto")
    (answer,) = asked(hospital, "ada")
    assess.assess(answer)
    writeback.automatic(Assessment.objects.filter(pk=answer))
    assert WriteBack.objects.filter(assessment__pk=answer, target="chart").exists()


def test_a_service_that_is_off_is_not_asked(hospital: Ehr) -> None:
    EnabledService.objects.filter(ehr=hospital).update(stage="off")
    assert asked(hospital, "ada") == []
    assert not Assessment.objects.exists()


def test_who_opted_out_meanwhile_is_left_alone(hospital: Ehr) -> None:
    owe(hospital, "ada")
    opt_out(hospital, "ada", actor="somebody")
    Rescoring.objects.update(due_at=timezone.now())
    assert rescore(due_rescorings()[0]) == []
    assert not Assessment.objects.exists()


def test_a_restricted_chart_is_left_to_those_who_open_it(hospital: Ehr) -> None:
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
    relabelled("ada", meta={"security": [label]})
    assert asked(hospital, "ada") == []
    assert not Assessment.objects.exists()
    assert AuditEntry.objects.get(action="rescore").detail["answer"] == "restricted"


def test_a_merged_record_is_given_up_with_its_reason_and_without_its_id(hospital: Ehr) -> None:
    relabelled("ada", link=[{"other": {"reference": "Patient/bruno"}, "type": "replaced-by"}])
    assert asked(hospital, "ada") == []
    assert Merge.objects.get().from_key == hospital.pseudonym("ada")
    row = Rescoring.objects.get()
    assert "merged" in row.failure
    assert (row.due_at, row.patient_id) == (None, None)


def test_a_no_that_comes_along_with_a_merge_counts_at_once(hospital: Ehr) -> None:
    opt_out(hospital, "ada", actor="somebody")
    relabelled("bruno", link=[{"other": {"reference": "Patient/ada"}, "type": "replaces"}])
    assert asked(hospital, "bruno") == []
    assert not Assessment.objects.exists()


def test_an_ehr_that_does_not_answer_is_asked_again_and_in_the_end_given_up(hospital: Ehr) -> None:
    Ehr.objects.update(fhir_base="http://127.0.0.1:9/fhir")
    owe(hospital, "ada")
    waits = []
    for _ in range(10):
        now = timezone.now()
        Rescoring.objects.update(due_at=now)
        assert rescore(due_rescorings()[0]) == []
        row = Rescoring.objects.get()
        waits.append(row.due_at - now if row.due_at else None)
    assert waits[0] is not None
    assert timedelta(minutes=1) < waits[0] < timedelta(minutes=3)
    assert waits[-1] is None
    assert (row.tries, row.patient_id) == (10, None)
    assert row.failure


def test_a_service_without_a_model_is_asked_later_and_keeps_no_other_from_being_asked(
    hospital: Ehr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry.get("hypertension-risk"), "asked_again_by", ("blood_pressure",), raising=True)
    ModelVersion.objects.filter(name=SERVICE).update(status=ModelVersion.Status.RETIRED)
    shelf.forget()
    answers = asked(hospital, "ada")
    assert [one.service_id for one in Assessment.objects.filter(pk__in=answers)] == ["hypertension-risk"]
    row = Rescoring.objects.get()
    assert (row.tries, row.due_at is not None, bool(row.failure)) == (1, True, True)


def test_what_was_told_while_it_was_asked_about_is_asked_about_once_more(hospital: Ehr) -> None:
    owe(hospital, "ada")
    Rescoring.objects.update(due_at=timezone.now())
    (row_id,) = due_rescorings()
    stale = Rescoring.objects.get()
    owe(hospital, "ada")  # while the facts were being read
    from cds.notified.rescore import _finish

    _finish(stale)
    row = Rescoring.objects.get(pk=row_id)
    assert row.due_at is not None
    assert bytes(row.patient_id or b"") == b"ada"


def test_soon_after_an_answer_the_next_one_waits(ehr: Ehr) -> None:
    owe(ehr, "ada")
    first = Rescoring.objects.get().due_at
    owe(ehr, "ada")
    assert Rescoring.objects.get().due_at == first  # nobody who is told of all the time waits for ever
    Rescoring.objects.update(due_at=None, patient_id=None, done_at=timezone.now())
    owe(ehr, "ada")
    again = Rescoring.objects.get().due_at
    assert again is not None
    assert again > timezone.now() + timedelta(minutes=4)


def test_a_thousand_patients_do_not_fall_on_the_ehr_at_once(ehr: Ehr) -> None:
    now = timezone.now()
    Rescoring.objects.bulk_create(
        Rescoring(ehr=ehr, patient_key=str(number), patient_id=b"x", due_at=now) for number in range(1000)
    )
    assert len(due_rescorings()) == AT_ONCE
    assert len(due_rescorings()) == AT_ONCE
    assert Rescoring.objects.filter(held_until=None).count() == 1000 - 2 * AT_ONCE


def test_of_an_ehr_that_is_not_active_nobody_is_asked_about(ehr: Ehr) -> None:
    owe(ehr, "ada")
    Rescoring.objects.update(due_at=timezone.now())
    Ehr.objects.update(active=False)
    assert due_rescorings() == []


@pytest.mark.parametrize(("failure", "stays"), [("", False), ("the record was merged", True)])
def test_what_is_done_goes_and_what_failed_stays_for_the_administrator(ehr: Ehr, failure: str, stays: bool) -> None:
    done = timezone.now() - timedelta(hours=2)
    Rescoring.objects.create(ehr=ehr, patient_key="k", due_at=None, done_at=done, failure=failure)
    due_rescorings()
    assert Rescoring.objects.exists() == stays
