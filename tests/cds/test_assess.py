"""Every prediction, also one that failed or never came, is on the audit trail."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from cds import assess
from cds.context import PatientContext
from cds.facts import Person
from cds.fhir.dates import parse
from cds.models import Assessment, AuditEntry, Ehr
from scoring import shelf
from scoring.models import ModelVersion


def queued(ehr: Ehr, *, snapshot: bytes | None = None, days_ago: int = 0, fingerprint: str = "f") -> Assessment:
    person = Person(id="p1", birth_date=parse("1970-01-01", ehr.zone), sex="female")
    created = timezone.now() - timedelta(days=days_ago)
    return Assessment.objects.create(
        ehr=ehr,
        service_id="diabetes-risk",
        service_version="1.2",
        model_version=shelf.active_version("diabetes-risk"),
        threshold=0.1,
        fingerprint=fingerprint,
        patient_key=ehr.pseudonym("p1"),
        snapshot=snapshot or PatientContext(patient=person, now=ehr.now()).as_json(),
        created_at=created,
        queued_at=created,
    )


def entry() -> AuditEntry:
    return AuditEntry.objects.get()


def test_a_prediction_is_noted_with_patient_service_and_model(ehr: Ehr) -> None:
    assessment = queued(ehr)
    assess.assess(str(assessment.pk))
    assert (entry().action, entry().actor, entry().subject) == ("predict", "bedside", str(assessment.pk))
    assert entry().patient_key == ehr.pseudonym("p1")
    assert entry().detail == {"service": "diabetes-risk 1.2", "model": assessment.model_version, "status": "done"}


def test_it_comes_from_no_address(ehr: Ehr) -> None:
    assess.assess(str(queued(ehr).pk))
    assert entry().address == ""


def test_a_prediction_is_noted_once_however_often_the_message_comes(ehr: Ehr) -> None:
    assessment = queued(ehr)
    for _ in range(3):
        assess.assess(str(assessment.pk))
    assert AuditEntry.objects.count() == 1


def test_a_failed_one_is_noted_as_failed(ehr: Ehr, caplog: pytest.LogCaptureFixture) -> None:
    assess.assess(str(queued(ehr, snapshot=b"not the facts").pk))
    assert entry().detail["status"] == "failed"


def test_it_is_scored_with_the_version_that_was_asked_whatever_is_approved_by_then(ehr: Ehr) -> None:
    asked = queued(ehr)
    ModelVersion.objects.update(status=ModelVersion.Status.RETIRED)
    shelf.forget()
    assess.assess(str(asked.pk))
    asked.refresh_from_db()
    assert asked.settled


def test_a_version_that_is_gone_is_a_failure_and_no_other_version_answers(ehr: Ehr) -> None:
    asked = queued(ehr)
    Assessment.objects.update(model_version="0.0.1")
    assess.assess(str(asked.pk))
    asked.refresh_from_db()
    assert (asked.status, asked.failure) == ("failed", "ModelMissing")


def test_what_expired_is_counted(ehr: Ehr) -> None:
    queued(ehr, days_ago=2)
    assess.lost()
    assert (entry().action, entry().detail) == ("expire", {"assessments": 1})


def test_what_is_a_day_old_is_never_answered_even_if_a_worker_comes_before_the_clock(ehr: Ehr) -> None:
    """After a long outage the messages that waited are read first; an answer of yesterday would pass for news."""
    late = queued(ehr, days_ago=1)
    assert assess.assess(str(late.pk)) == []
    assess.lost()
    late.refresh_from_db()
    assert late.status == Assessment.Status.EXPIRED


def test_one_message_is_enough_for_all_that_wait(ehr: Ehr) -> None:
    waiting = [str(queued(ehr, fingerprint=str(number)).pk) for number in range(3)]
    assert set(assess.assess(waiting[1])) == set(waiting)
    assert AuditEntry.objects.filter(action="predict").count() == len(waiting)
    assert assess.assess(waiting[0]) == []


def test_one_pass_has_a_limit_and_the_one_that_was_named_is_in_it(ehr: Ehr) -> None:
    oldest, *_ = [str(queued(ehr, fingerprint=str(number)).pk) for number in range(assess.AT_ONCE + 2)]
    answered = assess.assess(oldest)
    assert len(answered) == assess.AT_ONCE
    assert oldest in answered


def test_one_that_cannot_be_decrypted_spoils_no_other(ehr: Ehr, settings: Settings) -> None:
    good, keys = queued(ehr), settings.FIELD_KEYS
    settings.FIELD_KEYS = ["another"]
    strange = queued(ehr, fingerprint="g")
    settings.FIELD_KEYS = keys
    assess.assess(str(good.pk))
    states = dict(Assessment.objects.defer("snapshot").values_list("pk", "status"))
    assert states == {good.pk: "done", strange.pk: "failed"}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time and no row locks")
@pytest.mark.django_db(transaction=True)
def test_what_another_worker_has_in_hand_is_left_to_it(ehr: Ehr) -> None:
    mine, theirs = queued(ehr), queued(ehr, fingerprint="g")
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        other.execute("SELECT FROM cds_assessment WHERE id = %s FOR NO KEY UPDATE", [theirs.pk])
        assert assess.assess(str(theirs.pk)) == [str(mine.pk)]
    assert assess.assess(str(theirs.pk)) == [str(theirs.pk)]
