"""The database's own refusal to change the audit trail: triggers, so that no code path and no console can forget it.

Content is never changed; an entry that has no number yet may get number and seal; only entries that a PurgedSegment
stands for may be deleted, and those rows never. On SQLite a migration that alters one of the two tables rebuilds it,
which drops its triggers: such a migration begins with `unguard` and ends with `guard`.
"""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

CONTENT = ("id", "ehr_id", "recorded_at", "action", "actor", "address", "patient_key", "subject", "detail")
_SAME = " AND ".join(f"NEW.{column} IS OLD.{column}" for column in CONTENT)
_COVERED = "EXISTS (SELECT 1 FROM cds_purgedsegment WHERE OLD.sequence BETWEEN first AND last)"
_SAID = "audit entries are append-only"

_SQLITE_GUARD = (
    f"""CREATE TRIGGER bedside_audit_update BEFORE UPDATE ON cds_auditentry
    WHEN NOT (OLD.sequence IS NULL AND NEW.sequence IS NOT NULL AND {_SAME})
    BEGIN SELECT RAISE(ABORT, '{_SAID}'); END""",
    f"""CREATE TRIGGER bedside_audit_delete BEFORE DELETE ON cds_auditentry WHEN NOT {_COVERED}
    BEGIN SELECT RAISE(ABORT, '{_SAID}'); END""",
    f"""CREATE TRIGGER bedside_purged_update BEFORE UPDATE ON cds_purgedsegment
    BEGIN SELECT RAISE(ABORT, '{_SAID}'); END""",
    f"""CREATE TRIGGER bedside_purged_delete BEFORE DELETE ON cds_purgedsegment
    BEGIN SELECT RAISE(ABORT, '{_SAID}'); END""",
)
_SQLITE_UNGUARD = tuple(
    f"DROP TRIGGER IF EXISTS bedside_{name}"
    for name in ("audit_update", "audit_delete", "purged_update", "purged_delete")
)
_POSTGRESQL_GUARD = (
    f"""CREATE FUNCTION bedside_audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF OLD.sequence IS NULL AND NEW.sequence IS NOT NULL
                AND to_jsonb(NEW) - ARRAY['sequence', 'seal', 'key_id'] = to_jsonb(OLD) - ARRAY['sequence', 'seal', 'key_id']
            THEN RETURN NEW; END IF;
        ELSIF TG_OP = 'DELETE' THEN
            IF {_COVERED} THEN RETURN OLD; END IF;
        END IF;
        RAISE EXCEPTION '{_SAID}' USING ERRCODE = 'integrity_constraint_violation';
    END $$""",
    f"""CREATE FUNCTION bedside_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{_SAID}' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER bedside_audit BEFORE UPDATE OR DELETE ON cds_auditentry
    FOR EACH ROW EXECUTE FUNCTION bedside_audit_guard()""",
    """CREATE TRIGGER bedside_purged BEFORE UPDATE OR DELETE ON cds_purgedsegment
    FOR EACH ROW EXECUTE FUNCTION bedside_append_only()""",
    """CREATE TRIGGER bedside_audit_truncate BEFORE TRUNCATE ON cds_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION bedside_append_only()""",
    """CREATE TRIGGER bedside_purged_truncate BEFORE TRUNCATE ON cds_purgedsegment
    FOR EACH STATEMENT EXECUTE FUNCTION bedside_append_only()""",
)
_POSTGRESQL_UNGUARD = (
    "DROP FUNCTION IF EXISTS bedside_audit_guard() CASCADE",  # the triggers go with their functions
    "DROP FUNCTION IF EXISTS bedside_append_only() CASCADE",
)
_GUARD = {"sqlite": _SQLITE_GUARD, "postgresql": _POSTGRESQL_GUARD}
_UNGUARD = {"sqlite": _SQLITE_UNGUARD, "postgresql": _POSTGRESQL_UNGUARD}


def guard(connection: BaseDatabaseWrapper) -> None:
    _run(connection, _GUARD)


def unguard(connection: BaseDatabaseWrapper) -> None:
    _run(connection, _UNGUARD)


def guard_in_migration(_: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    guard(editor.connection)


def unguard_in_migration(_: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    unguard(editor.connection)


def _run(connection: BaseDatabaseWrapper, statements: dict[str, tuple[str, ...]]) -> None:
    """KeyError for a database that we have no triggers for: better no start than an unguarded trail."""
    with connection.cursor() as cursor:
        for statement in statements[connection.vendor]:
            cursor.execute(statement)
