"""The chain shows whatever was done to it."""

from __future__ import annotations

import pytest
from django.db import connection

from cds import audit
from cds.models import AuditEntry, Ehr


@pytest.fixture
def chain(ehr: Ehr) -> list[AuditEntry]:
    for number in range(5):
        audit.record("hook", actor="somebody", ehr=ehr, patient_id=f"p{number}", number=number)
    assert audit.seal() == 5
    return list(AuditEntry.objects.order_by("sequence"))


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_an_untouched_chain_is_whole(chain: list[AuditEntry]) -> None:
    assert list(audit.verify()) == []


def test_a_second_seal_goes_on_where_the_first_stopped(chain: list[AuditEntry], ehr: Ehr) -> None:
    audit.record("hook", actor="somebody", ehr=ehr)
    assert audit.seal() == 1
    assert list(audit.verify()) == []


def test_a_changed_entry_is_found(chain: list[AuditEntry]) -> None:
    sql("UPDATE cds_auditentry SET actor = 'nobody' WHERE sequence = 3")
    assert list(audit.verify()) == [3]


def test_a_removed_entry_is_found(chain: list[AuditEntry]) -> None:
    sql("DELETE FROM cds_auditentry WHERE sequence = 3")
    assert 4 in list(audit.verify())


def test_two_swapped_entries_are_found(chain: list[AuditEntry]) -> None:
    sql("UPDATE cds_auditentry SET sequence = CASE sequence WHEN 2 THEN -1 WHEN 3 THEN -2 ELSE sequence END")
    sql("UPDATE cds_auditentry SET sequence = CASE sequence WHEN -1 THEN 3 WHEN -2 THEN 2 ELSE sequence END")
    assert list(audit.verify())


def test_an_entry_cannot_be_changed_or_deleted_through_the_model(chain: list[AuditEntry]) -> None:
    with pytest.raises(PermissionError):
        chain[0].save()
    with pytest.raises(PermissionError):
        chain[0].delete()


def test_the_patient_is_a_keyed_hash(chain: list[AuditEntry], ehr: Ehr) -> None:
    assert chain[0].patient_key == ehr.pseudonym("p0")
    assert "p0" not in chain[0].patient_key
