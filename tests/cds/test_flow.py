"""The main line between the doors and the workers: one row a fingerprint, nothing lost, nothing scored twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from cds import assess, doorbell, registry, tasks
from cds.context import PatientContext
from cds.facts import Person
from cds.fhir.dates import parse
from cds.finding import NotEnoughData
from cds.flow import decide, enabled, enabled_for, open_assessment
from cds.models import Assessment, Ehr, EnabledService, Merge, OptOut
from tests.at_once import at_once

Status = Assessment.Status
SERVICE = registry.get("diabetes-risk")


def context(ehr: Ehr, *, born: str = "1970-01-01") -> PatientContext:
    now = ehr.now()
    return PatientContext(patient=Person(id="p1", birth_date=parse(born, ehr.zone), sex="female"), now=now)


def opened(ehr: Ehr, **options: Any) -> Assessment:
    return open_assessment(service=SERVICE, here=enabled(ehr, SERVICE), context=context(ehr, **options))[0]


def test_the_same_facts_open_one_assessment(ehr: Ehr) -> None:
    assert opened(ehr).pk == opened(ehr).pk


def test_what_is_known_of_a_patient_is_asked_together_with_how_the_service_runs(ehr: Ehr) -> None:
    OptOut.objects.create(ehr=ehr, patient_key="said no")
    Merge.objects.create(ehr=ehr, from_key="merged", into_key="other")
    known = {key: enabled_for(ehr, SERVICE, key) for key in ("said no", "merged", "other")}
    assert [key for key, here in known.items() if here.opted_out] == ["said no"]
    assert [key for key, here in known.items() if here.merged] == ["merged"]
    assert not any(here.snoozed for here in known.values())


def test_a_service_that_nobody_has_set_up_asks_who_said_no_all_the_same(ehr: Ehr) -> None:
    EnabledService.objects.all().delete()
    OptOut.objects.create(ehr=ehr, patient_key="said no")
    assert [enabled_for(ehr, SERVICE, key).opted_out for key in ("said no", "another")] == [True, False]


def test_other_facts_open_another(ehr: Ehr) -> None:
    assert opened(ehr).pk != opened(ehr, born="1971-01-01").pk


def test_another_threshold_opens_another(ehr: Ehr) -> None:
    first = opened(ehr)
    EnabledService.objects.update(threshold=0.2)
    assert opened(ehr).pk != first.pk


def test_the_time_of_day_does_not_open_another_but_the_local_date_does(ehr: Ehr) -> None:
    facts = context(ehr)
    later = PatientContext(patient=facts.patient, now=facts.now.replace(hour=23, minute=59, second=59))
    tomorrow = PatientContext(patient=facts.patient, now=facts.now + timedelta(days=1))
    assert facts.fingerprint() == later.fingerprint() != tomorrow.fingerprint()


def test_the_snapshot_is_encrypted_in_the_table(ehr: Ehr) -> None:
    from django.db import connection

    opened(ehr)
    with connection.cursor() as cursor:
        cursor.execute("SELECT snapshot FROM cds_assessment")
        (stored,) = cursor.fetchone()
    assert b"1970" not in bytes(stored)


@pytest.mark.django_db(transaction=True)
def test_all_who_wait_for_one_answer_get_it(ehr: Ehr, worker: None) -> None:
    facts, here = context(ehr), enabled(ehr, SERVICE)
    answers = at_once(4, lambda: decide(service=SERVICE, here=here, context=facts, wait=30))
    assert [(one.pk == answers[0].pk, one.status) for one in answers] == [(True, Status.DONE)] * 4


@pytest.mark.django_db(transaction=True)
def test_a_ring_that_is_left_over_does_not_end_the_waiting(ehr: Ehr, worker: None) -> None:
    waiting = opened(ehr)
    doorbell.ring(str(waiting.pk))
    Assessment.objects.update(status=Status.FAILED)
    assessment = decide(service=SERVICE, here=enabled(ehr, SERVICE), context=waiting.context, wait=30)
    assert (assessment.pk, assessment.status) == (waiting.pk, Status.DONE)


@pytest.mark.django_db(transaction=True)
def test_a_decision_waits_for_the_worker(ehr: Ehr, worker: None) -> None:
    assessment = decide(service=SERVICE, here=enabled(ehr, SERVICE), context=context(ehr), wait=30)
    assert assessment.status == Status.DONE
    assert isinstance(assessment.outcome, NotEnoughData)


def test_a_message_that_comes_twice_changes_nothing(ehr: Ehr) -> None:
    assessment = opened(ehr)
    tasks.assess(str(assessment.id))
    first = Assessment.objects.get()
    tasks.assess(str(assessment.id))
    assert Assessment.objects.get().finished_at == first.finished_at


def test_a_failure_is_kept_by_its_class_and_tried_again_when_asked_again(ehr: Ehr) -> None:
    assessment = opened(ehr)
    Assessment.objects.update(snapshot=b"not a snapshot")
    tasks.assess(str(assessment.id))
    failed = Assessment.objects.get()
    assert (failed.status, failed.failure) == (Status.FAILED, "DecodeError")
    assert open_assessment(service=SERVICE, here=enabled(ehr, SERVICE), context=context(ehr))[1]
    assert Assessment.objects.get().status == Status.QUEUED


def test_what_a_killed_worker_or_a_lost_message_left_is_picked_up(ehr: Ehr) -> None:
    assessment = opened(ehr)
    Assessment.objects.update(queued_at=timezone.now() - assess.LOST_AFTER - timedelta(seconds=1))
    assert assess.lost() == [str(assessment.id)]
    assert assess.lost() == []


def test_what_is_being_worked_on_is_left_alone(ehr: Ehr) -> None:
    opened(ehr)
    assert assess.lost() == []


def test_after_a_day_it_expires_and_is_never_shown_as_news(ehr: Ehr) -> None:
    opened(ehr)
    long_ago = timezone.now() - timedelta(hours=25)
    Assessment.objects.update(created_at=long_ago, queued_at=long_ago)
    assert assess.lost() == []
    assert Assessment.objects.get().status == Status.EXPIRED


def test_in_a_restricted_chart_nobody_gets_an_answer_that_was_given_to_another(ehr: Ehr) -> None:
    person = Person(id="p1", birth_date=parse("1970-01-01", ehr.zone), restricted=True)
    facts = PatientContext(patient=person, now=ehr.now())
    here = enabled(ehr, SERVICE)
    first, again, other = (decide(service=SERVICE, here=here, context=facts, asker=asker) for asker in ("a", "a", "b"))
    assert first.pk == again.pk
    assert first.pk != other.pk


def test_the_same_snapshot_gives_the_same_answer_again(ehr: Ehr) -> None:
    assessment = opened(ehr)
    assert assess.answer(assessment) == assess.answer(assessment)
