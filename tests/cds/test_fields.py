"""Encrypted fields and the rotation of their keys."""

from __future__ import annotations

from io import StringIO

import pytest
from cryptography.fernet import InvalidToken
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from cds.fields import rotate
from cds.models import Assessment, AuditEntry, Ehr


@pytest.fixture
def old(ehr: Ehr, settings: Settings) -> list[str]:
    """Seven assessments under the key that is now the second; which keys there are."""
    settings.FIELD_KEYS = ["the old key"]
    for number in range(7):
        Assessment.objects.create(
            ehr=ehr,
            service_id="diabetes-risk",
            service_version="1",
            threshold=0.1,
            fingerprint=str(number),
            patient_key="k",
            snapshot=f"facts {number}".encode(),
            result=None if number % 2 else b"answer",
        )
    settings.FIELD_KEYS = ["the new key", "the old key"]
    return ["the new key", "the old key"]


def raw() -> list[bytes]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT snapshot FROM cds_assessment ORDER BY fingerprint")
        return [bytes(row[0]) for row in cursor.fetchall()]


def facts() -> list[bytes | None]:
    return [row.snapshot for row in Assessment.objects.order_by("fingerprint")]


def test_nothing_of_a_value_is_readable_in_the_database(old: list[str]) -> None:
    assert all(b"facts" not in token for token in raw())


def test_an_older_key_still_decrypts(old: list[str]) -> None:
    assert facts()[3] == b"facts 3"


def test_after_the_rotation_the_new_key_alone_is_enough(old: list[str], settings: Settings) -> None:
    assert rotate(Assessment, batch=2) == 7
    settings.FIELD_KEYS = ["the new key"]
    assert facts() == [f"facts {number}".encode() for number in range(7)]
    assert [row.result for row in Assessment.objects.order_by("fingerprint")][:2] == [b"answer", None]


def test_without_the_rotation_it_is_not(old: list[str], settings: Settings) -> None:
    settings.FIELD_KEYS = ["the new key"]
    with pytest.raises(InvalidToken):
        facts()


def test_a_rotation_that_was_stopped_goes_on_where_it_was(old: list[str]) -> None:
    first = Assessment.objects.order_by("pk")[0]
    Assessment.objects.filter(pk=first.pk).update(snapshot=first.snapshot, result=first.result)
    before = raw()
    assert rotate(Assessment) == 6
    assert sum(one == other for one, other in zip(before, raw(), strict=True)) == 1


def test_a_second_rotation_touches_nothing(old: list[str]) -> None:
    rotate(Assessment)
    before = raw()
    assert rotate(Assessment) == 0
    assert raw() == before


def test_the_command_rotates_every_model_and_is_on_the_trail(old: list[str], settings: Settings) -> None:
    out = StringIO()
    call_command("rotate_field_keys", batch=3, stdout=out)
    assert "cds.Assessment: 7" in out.getvalue()
    assert "smartapp.SmartSession: 0" in out.getvalue()
    assert AuditEntry.objects.get(action="rotate-field-keys").detail == {"rows": 7}
