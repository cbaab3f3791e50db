"""What an operator must do about a database that cannot be used."""

from __future__ import annotations

from contextlib import suppress

from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor


def what_to_do() -> str:
    """One sentence; "" where it is there and has all tables."""
    place = connection.settings_dict["HOST"] or connection.settings_dict["NAME"]
    if not _answers():
        return f"The database at {place} cannot be reached: start it, or correct DATABASE_URL."
    with suppress(DatabaseError):
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return f"The database at {place} lacks tables of this version: run manage.py migrate."
    return ""


def _answers() -> bool:
    """Asked past the pool, which would wait for it."""
    own = connection.copy()
    own.settings_dict["OPTIONS"].pop("pool", None)
    try:
        own.ensure_connection()
    except (OperationalError, InterfaceError):
        return False
    own.close()
    return True
