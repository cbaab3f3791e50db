"""The database itself refuses to change the audit trail, whoever asks."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings

from cds import audit, chain
from cds.append_only import CONTENT, guard, unguard
from cds.models import AuditEntry, Ehr, PurgedSegment


@pytest.fixture
def guarded(ehr: Ehr, settings: Settings, tmp_path: Path) -> None:
    """Three entries, two of them sealed, under the triggers (which the end of the test rolls back)."""
    settings.AUDIT_ANCHOR_FILE = tmp_path / "anchor.log"
    guard(connection)
    for number in range(2):
        audit.record("hook", actor="somebody", ehr=ehr, number=number)
    chain.seal()
    audit.record("view", actor="somebody", ehr=ehr)


def sql(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE cds_auditentry SET actor = 'nobody' WHERE sequence = 1",
        "UPDATE cds_auditentry SET seal = 'x' WHERE sequence = 1",
        "UPDATE cds_auditentry SET sequence = NULL WHERE sequence = 1",
        "UPDATE cds_auditentry SET actor = 'nobody' WHERE sequence IS NULL",
        "UPDATE cds_auditentry SET actor = 'nobody', sequence = 3 WHERE sequence IS NULL",
        "UPDATE cds_auditentry SET seal = 'x' WHERE sequence IS NULL",
        "DELETE FROM cds_auditentry WHERE sequence = 1",
        "DELETE FROM cds_auditentry WHERE sequence IS NULL",
        "DELETE FROM cds_auditentry",
    ],
)
def test_sql_cannot_change_the_trail(guarded: None, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"):
        sql(statement)


def test_a_querysets_update_and_delete_are_refused_too(guarded: None) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEntry.objects.update(actor="nobody")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEntry.objects.all().delete()


def test_sealing_is_allowed(guarded: None) -> None:
    assert chain.seal() == 1
    assert list(chain.verify()) == []


def test_only_what_a_segment_stands_for_may_go_and_the_segment_stays(guarded: None) -> None:
    first = AuditEntry.objects.get(sequence=1)
    segment = PurgedSegment(
        first=1, last=1, began_at=first.recorded_at, ended_at=first.recorded_at, last_seal=first.seal
    )
    chain.vouch(segment).save()
    sql("DELETE FROM cds_auditentry WHERE sequence = 1")
    for statement in (
        "DELETE FROM cds_auditentry WHERE sequence = 2",
        "UPDATE cds_purgedsegment SET last = 2",
        "DELETE FROM cds_purgedsegment",
    ):
        with pytest.raises(DatabaseError, match="append-only"):
            sql(statement)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no TRUNCATE")
def test_truncate_is_refused(guarded: None) -> None:
    sql("SET CONSTRAINTS ALL IMMEDIATE")  # what is still to be checked would be the reason otherwise
    with pytest.raises(DatabaseError, match="append-only"):
        sql("TRUNCATE cds_auditentry")


def test_the_guard_can_be_taken_off_and_put_back(guarded: None) -> None:
    unguard(connection)
    sql("UPDATE cds_auditentry SET actor = 'nobody' WHERE sequence = 1")
    guard(connection)
    with pytest.raises(DatabaseError, match="append-only"):
        sql("UPDATE cds_auditentry SET actor = 'somebody' WHERE sequence = 1")


def test_the_guard_knows_every_column() -> None:
    columns = {field.column for field in AuditEntry._meta.local_fields}
    assert columns == {*CONTENT, "sequence", "seal", "key_id"}


def test_all_migrations_together_leave_the_guard_in_place(tmp_path: Path) -> None:
    """SQLite rebuilds a table to alter it, and triggers would be lost with the old one."""
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    manage = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    root = Path(__file__).resolve().parents[2]
    subprocess.run(manage, env={**environment, "BEDSIDE_HOME": str(tmp_path)}, cwd=root, check=True)
    with sqlite3.connect(tmp_path / "bedside.sqlite3") as database:
        database.execute(
            "INSERT INTO cds_auditentry (recorded_at, action, actor, address, patient_key, subject, detail, key_id, seal)"
            " VALUES ('2026-01-01', 'view', 'a', '', '', '', '{}', '', '')"
        )
        for statement in ("UPDATE cds_auditentry SET actor = 'b'", "DELETE FROM cds_auditentry"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                database.execute(statement)
    database.close()
