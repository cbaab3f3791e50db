"""`manage.py verify_audit` names the first broken link and exits with 1."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from cds import audit, chain
from cds.models import AuditEntry, Ehr


@pytest.fixture(autouse=True)
def trail(ehr: Ehr, settings: Settings, tmp_path: Path) -> None:
    settings.AUDIT_ANCHOR_FILE = tmp_path / "anchor.log"
    for _ in range(5):
        audit.record("hook", actor="somebody", ehr=ehr)
    chain.seal()


def test_a_whole_trail_is_said_to_be_whole_and_how_far() -> None:
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert f"whole up to entry 5, seal {chain.head()[1]}" in out.getvalue()


def test_the_first_broken_link_is_named() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE cds_auditentry SET actor = 'nobody' WHERE sequence IN (3, 5)")
    with pytest.raises(CommandError, match="broken at entry 3: changed") as error:
        call_command("verify_audit")
    assert error.value.returncode == 1


def test_that_it_was_verified_is_itself_on_the_trail() -> None:
    call_command("verify_audit", stdout=StringIO())
    assert AuditEntry.objects.get(action="verify-audit").detail == {"broken_at": 0}
