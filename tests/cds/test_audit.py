"""Who saw or sent what of whom, from where."""

from __future__ import annotations

import pytest

from cds import audit
from cds.models import AuditEntry, Ehr


@pytest.fixture
def entry(ehr: Ehr) -> AuditEntry:
    audit.record("view", actor="somebody", ehr=ehr, patient_id="p0", subject="an assessment", number=1)
    return AuditEntry.objects.get()


def test_an_entry_cannot_be_changed_or_deleted_through_the_model(entry: AuditEntry) -> None:
    with pytest.raises(PermissionError):
        entry.save()
    with pytest.raises(PermissionError):
        entry.delete()


def test_the_patient_is_a_keyed_hash(entry: AuditEntry, ehr: Ehr) -> None:
    assert entry.patient_key == ehr.pseudonym("p0")
    assert "p0" not in entry.patient_key


def test_our_own_work_comes_from_nowhere(entry: AuditEntry) -> None:
    assert entry.address == ""


def test_a_request_leaves_its_address(ehr: Ehr) -> None:
    token = audit.caller_address.set("203.0.113.9")
    audit.record("view", actor="somebody", ehr=ehr)
    audit.caller_address.reset(token)
    assert AuditEntry.objects.get().address == "203.0.113.9"
