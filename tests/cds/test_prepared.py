"""What is worded once still asks for what is given now, and what is inserted together is there together."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import CharField, DateTimeField, Exists, OuterRef, UUIDField
from django.utils import timezone

from cds import audit
from cds.models import Assessment, AuditEntry, Ehr, OptOut
from cds.prepared import Question, insert, insert_unless_there, update

by_patient = Question(
    lambda patient_key, since: Assessment.objects.filter(patient_key=patient_key, created_at__gte=since),
    patient_key=CharField(),
    since=DateTimeField(),
)
by_id = Question(lambda pk: Assessment.objects.filter(pk=pk).only("status"), pk=UUIDField())
NOW = timezone.now()


def assessment(ehr: Ehr, patient: str = "p1", fingerprint: str = "f") -> Assessment:
    return Assessment(
        ehr=ehr, service_id="s", threshold=0.25, fingerprint=fingerprint, patient_key=patient, snapshot=b'{"a": "b"}'
    )


def test_each_asking_has_its_own_values(ehr: Ehr) -> None:
    insert(assessment(ehr, "p1", "f1"), assessment(ehr, "p2", "f2"))
    found = [one.fingerprint for patient in ("p2", "p1", "p2") for one in by_patient(patient_key=patient, since=NOW)]
    assert found == ["f2", "f1", "f2"]
    assert by_patient(patient_key="p1", since=NOW + timedelta(days=1)) == []


def test_a_row_is_what_the_orm_makes_of_it(ehr: Ehr) -> None:
    made = assessment(ehr)
    insert(made)
    (asked,) = by_patient(patient_key="p1", since=NOW)
    (read,) = Assessment.objects.all()
    for field in Assessment._meta.concrete_fields:
        values = [getattr(row, field.attname) for row in (made, asked, read)]
        assert values[0] == values[1] == values[2], field.name
    assert asked == read
    assert not asked._state.adding


def test_fields_that_were_not_asked_for_are_read_when_they_are_needed(ehr: Ehr) -> None:
    made = assessment(ehr)
    insert(made)
    (asked,) = by_id(pk=made.pk)
    assert asked.get_deferred_fields() >= {"snapshot", "fingerprint"}
    assert asked.snapshot == b'{"a": "b"}'


def test_what_a_queryset_annotates_comes_with_each_row(ehr: Ehr) -> None:
    insert(assessment(ehr, "p1", "f1"), assessment(ehr, "p2", "f2"), OptOut(ehr=ehr, patient_key="p2"))
    asked: Question[Any] = Question(
        lambda key: Assessment.objects.annotate(
            no=Exists(OptOut.objects.filter(patient_key=OuterRef("patient_key"))),
            mine=Exists(OptOut.objects.filter(patient_key=key)),
        ).order_by("patient_key"),
        as_stored=("snapshot",),
        key=CharField(),
    )
    found = {key: [(one.no, one.mine) for one in asked(key=key)] for key in ("p1", "p2")}
    assert found == {"p1": [(False, False), (True, False)], "p2": [(False, True), (True, True)]}


def test_what_is_inserted_together_is_there_or_not_together(ehr: Ehr) -> None:
    opt_out = OptOut(ehr=ehr, patient_key="p1")
    insert(opt_out, audit.entry("hook", actor="a", ehr=ehr))
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(audit.entry("hook", actor="b", ehr=ehr), OptOut(ehr=ehr, patient_key="p1"))
    assert [entry.actor for entry in AuditEntry.objects.all()] == ["a"]


def test_what_is_changed_and_what_tells_of_it_is_there_or_not_together(ehr: Ehr) -> None:
    first, second = assessment(ehr, fingerprint="f"), assessment(ehr, fingerprint="g")
    insert(first, second)
    first.status, first.result, second.failure = "done", b"an answer", "ValueError"
    update([first, second], "status", "result", "failure", told=[audit.entry("predict", actor=one) for one in "ab"])
    second.status = "done"
    with pytest.raises(IntegrityError), transaction.atomic():
        update([second], "status", told=[OptOut(ehr=ehr, patient_key="p1"), OptOut(ehr=ehr, patient_key="p1")])
    kept = Assessment.objects.order_by("fingerprint").values_list("status", "failure")
    assert list(kept) == [("done", ""), ("queued", "ValueError")]
    assert Assessment.objects.get(pk=first.pk).result == b"an answer"
    assert AuditEntry.objects.count() == 2


def test_a_row_that_is_there_already_is_left_as_it_is(ehr: Ehr) -> None:
    first, second = assessment(ehr), assessment(ehr)
    assert [insert_unless_there(row) for row in (first, second)] == [True, False]
    assert [row.pk for row in Assessment.objects.all()] == [first.pk]
    assert second._state.adding


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite keeps no plans that could be looked at")
def test_postgresql_keeps_its_plan(ehr: Ehr) -> None:
    for _ in range(3):
        by_id(pk=uuid.uuid4())
    statement = 'SELECT "cds_assessment"."id", "cds_assessment"."status" FROM %'
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans + custom_plans >= 3 FROM pg_prepared_statements WHERE statement LIKE %s", [statement]
        )
        assert cursor.fetchall() == [(True,)]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite flushes as its one setting says")
@pytest.mark.django_db(transaction=True)
def test_only_what_nobody_was_shown_yet_is_flushed_later(ehr: Ehr) -> None:
    assert flushed_at_commit_after(lambda: insert(audit.entry("hook", actor="a", ehr=ehr)))
    assert not flushed_at_commit_after(lambda: insert_unless_there(assessment(ehr)))
    made = assessment(ehr, fingerprint="g")
    insert(made)
    assert not flushed_at_commit_after(lambda: update([made], "status", told=[audit.entry("predict", actor="a")]))
    assert flushed_at_commit_after(lambda: insert(audit.entry("hook", actor="a", ehr=ehr)))


def flushed_at_commit_after(act: Callable[[], object]) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        act()
        cursor.execute("SHOW synchronous_commit")
        return bool(cursor.fetchone() == ("on",))
