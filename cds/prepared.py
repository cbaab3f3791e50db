"""SQL that Django words once and PostgreSQL plans once: wording it anew costs ten times what running it does.

For the few statements that every hook needs; everything else stays with the ORM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import AutoField, Expression, Field, Model, QuerySet

M = TypeVar("M", bound=Model)
Kind = Field[Any, Any]
_UNHURRIED = "set_config('synchronous_commit', 'off', true)"  # PostgreSQL: for this transaction only


class Question(Generic[M]):
    """`Question(lambda issuer: Ehr.objects.filter(hook_issuer=issuer), issuer=CharField())`, asked by calling it.

    Each argument of the queryset is named, with the kind of its values. The answer is a list of instances, with what the
    queryset annotates; fields that are named in `as_stored` are not converted: one that cannot be decrypted must not spoil
    the others' answers.
    """

    def __init__(self, word: Callable[..., QuerySet[M]], *, as_stored: tuple[str, ...] = (), **kinds: Kind) -> None:
        self._word, self._kinds, self._as_stored = word, kinds, as_stored
        self._worded: dict[str, _Worded[M]] = {}

    def __call__(self, **values: Any) -> list[M]:
        connection = connections[DEFAULT_DB_ALIAS]
        worded = self._worded.get(connection.vendor)
        if worded is None:
            queryset = self._word(**{name: _Given(name, kind) for name, kind in self._kinds.items()})
            worded = self._worded[connection.vendor] = _Worded(queryset, connection, self._as_stored)
        return worded.ask(values, connection)


class _Given(Expression):
    """Stands in the queryset for a value that comes with each asking."""

    def __init__(self, name: str, kind: Kind) -> None:
        super().__init__(output_field=kind)
        self.name, self.kind = name, kind

    def as_sql(self, *_: Any, **__: Any) -> tuple[str, list[Any]]:
        return "%s", [self]


class _Worded(Generic[M]):
    """The SQL for one kind of database, and how its rows become instances."""

    def __init__(self, queryset: QuerySet[M], connection: BaseDatabaseWrapper, as_stored: tuple[str, ...]) -> None:
        self.model = queryset.model
        self.compiler = queryset.query.get_compiler(connection=connection)
        self.sql, self.params = self.compiler.as_sql()
        columns = [expression for expression, _, _ in self.compiler.select]
        self.fields = len(columns) - len(queryset.query.annotation_select)  # these stand last
        self.names = [column.target.attname for column in columns[: self.fields]]
        self.names += queryset.query.annotation_select
        converters = self.compiler.get_converters(columns)
        self.converters = {at: one for at, one in converters.items() if self.names[at] not in as_stored}

    def ask(self, values: dict[str, Any], connection: BaseDatabaseWrapper) -> list[M]:
        params = [
            param.kind.get_db_prep_value(values[param.name], connection) if isinstance(param, _Given) else param
            for param in self.params
        ]
        rows: Iterable[Sequence[Any]] = _run(self.sql, params, connection).fetchall()
        if self.converters:
            rows = self.compiler.apply_converters(rows, self.converters)
        return [self._made(row) for row in rows]

    def _made(self, row: Sequence[Any]) -> M:
        made = self.model.from_db(DEFAULT_DB_ALIAS, self.names[: self.fields], row[: self.fields])
        for name, value in zip(self.names[self.fields :], row[self.fields :], strict=True):
            setattr(made, name, value)
        return made


def insert(*rows: Model) -> None:
    """All of the rows or none, in one round trip where the database can: a transaction of several costs one each.

    As `bulk_create` does, it calls no `save` and sends no signal.
    """
    if not rows:
        return
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "postgresql":
        values = [value for row in rows for value in _values(row, connection)]
        _run(_insertion(*(type(row) for row in rows)), values, connection)
    else:
        with transaction.atomic():
            for row in rows:
                _run(_insertion(type(row)), _values(row, connection), connection)
    for row in rows:
        row._state.adding = False


def insert_unless_there(row: Model) -> bool:
    """False, and nothing written, where a row of the same key is there. Flushed to disk with the next row that must be."""
    connection = connections[DEFAULT_DB_ALIAS]
    sql = f"{_insertion(type(row))} ON CONFLICT DO NOTHING"
    if connection.vendor == "postgresql":
        sql += f" RETURNING {_UNHURRIED}"
    row._state.adding = not _run(sql, _values(row, connection), connection).rowcount
    return not row._state.adding


def update(rows: Sequence[Model], *names: str, told: Sequence[Model]) -> None:
    """These fields of rows that are there, and new rows that tell of it; all or none, flushed to disk with the next row that
    must be (docs/decisions/008), in one round trip where the database can. At least one of each."""
    connection = connections[DEFAULT_DB_ALIAS]
    changes = [(_updating(type(row), names), _changed(row, names, connection)) for row in rows]
    news = [(_insert_into(type(row)), _values(row, connection)) for row in told]
    if connection.vendor == "postgresql":
        sql = f"{_together(*(sql for sql, _ in (*changes, *news)))} RETURNING {_UNHURRIED}"
        _run(sql, [value for _, values in (*changes, *news) for value in values], connection)
        return
    with transaction.atomic():
        for sql, values in (*changes, *news):
            _run(sql, values, connection)


@lru_cache
def _insertion(*models: type[Model]) -> str:
    return _together(*map(_insert_into, models))


@lru_cache
def _together(*statements: str) -> str:
    """Several as parts of one (PostgreSQL, "Data-Modifying Statements in WITH")."""
    *first, last = statements
    parts = ", ".join(f"row_{number} AS ({sql})" for number, sql in enumerate(first))
    return f"WITH {parts} {last}" if parts else last


@lru_cache
def _insert_into(model: type[Model]) -> str:
    columns = ", ".join(f'"{field.column}"' for field in _written(model))
    places = ", ".join("%s" for _ in _written(model))
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({places})'  # noqa: S608 -- our own names


@lru_cache
def _written(model: type[Model]) -> tuple[Kind, ...]:
    return tuple(field for field in model._meta.concrete_fields if not isinstance(field, AutoField))


@lru_cache
def _updating(model: type[Model], names: tuple[str, ...]) -> str:
    *places, key = (f'"{field.column}" = %s' for field in _named(model, (*names, "pk")))
    return f'UPDATE "{model._meta.db_table}" SET {", ".join(places)} WHERE {key}'  # noqa: S608 -- our own names


@lru_cache
def _named(model: type[Model], names: tuple[str, ...]) -> tuple[Kind, ...]:
    fields: dict[str, Kind] = {field.name: field for field in model._meta.concrete_fields}
    return tuple(fields[model._meta.pk.name if name == "pk" else name] for name in names)


def _values(row: Model, connection: BaseDatabaseWrapper) -> list[Any]:
    return [field.get_db_prep_save(field.pre_save(row, True), connection) for field in _written(type(row))]


def _changed(row: Model, names: tuple[str, ...], connection: BaseDatabaseWrapper) -> list[Any]:
    fields = _named(type(row), (*names, "pk"))
    return [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]


def _run(sql: str, params: Sequence[Any], connection: BaseDatabaseWrapper) -> Any:
    """A cursor after the statement."""
    cursor = _cursor(connection)
    with connection.wrap_database_errors:
        cursor.execute(sql, params)
    return cursor


def _cursor(connection: BaseDatabaseWrapper) -> Any:
    """On PostgreSQL one for each session: it costs more than a statement. Django's own would bind the values into the text."""
    if connection.vendor != "postgresql":
        return connection.cursor()
    connection.ensure_connection()
    session: Any = connection.connection
    if not hasattr(session, "bedside_cursor"):
        session.bedside_cursor = psycopg.Cursor(session)
    return session.bedside_cursor
