"""The tables of a research database, kept in PostgreSQL or as CSV files: one text of SQL reads both, and nothing is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from scoring.cohorts.checks import refuse_missing
from scoring.errors import CohortUnusable

Columns = Mapping[str, Mapping[str, str]]  # table -> column -> SQL type
BATCH = 50_000  # rows held as Python objects at a time
FORMAT: Mapping[str, Any] = {"header": True, "sep": ",", "quotechar": '"', "escapechar": '"'}  # RFC 4180
_WHERE = re.compile(r"Line: (?P<line>\d+).*column \"(?P<column>\w+)\".*file = (?P<path>[^\n]+)", re.DOTALL)
_URL = re.compile(r"postgres(ql)?://")


class Tables(Protocol):
    def batches(self, sql: str, values: Sequence[int] = ()) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a SELECT, some at a time; `$1` in the text is the first of `values`."""


def opened(data: str, columns: Columns, *, schema: str) -> AbstractContextManager[Tables]:
    """`data` is a folder, or postgres://user@host/database, where the tables stand in `schema` unless its options say otherwise.

    CohortUnusable, naming the table, the column or the file, for what is not there or cannot be read.
    """
    return _postgres(data, columns, schema=schema) if _URL.match(data) else _files(Path(data), columns)


# --- PostgreSQL ------------------------------------------------------------------------------------------------------
@contextmanager
def _postgres(url: str, columns: Columns, *, schema: str) -> Iterator[Tables]:
    import psycopg

    try:
        parts: dict[str, Any] = {"options": f"-c search_path={schema},public", **psycopg.conninfo.conninfo_to_dict(url)}
        connection = psycopg.connect(**parts)
    except psycopg.ProgrammingError as error:  # what it says may hold the password
        raise CohortUnusable("the address is not one of PostgreSQL") from error
    except psycopg.OperationalError as error:
        raise CohortUnusable(f"PostgreSQL: {_first_line(error)}") from error
    with closing(connection):
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # all is read as it stands at one moment
        tables = _Postgres(connection)
        for table, needed in columns.items():
            refuse_missing(tables.columns(table), needed=needed, where=f"the table {table}")
        yield tables


class _Postgres:
    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def columns(self, table: str) -> list[str]:
        import psycopg

        try:
            found = self.connection.execute(
                psycopg.sql.SQL("SELECT * FROM {} LIMIT 0").format(psycopg.sql.Identifier(table))
            )
        except psycopg.Error as error:
            raise CohortUnusable(f"PostgreSQL: {_first_line(error)}") from error
        return [column.name for column in found.description]

    def batches(self, sql: str, values: Sequence[int] = ()) -> Iterator[list[tuple[Any, ...]]]:
        import psycopg

        try:
            with psycopg.RawServerCursor(self.connection, name="rows") as cursor:
                cursor.execute(sql, values)
                while batch := cursor.fetchmany(BATCH):
                    yield batch
        except psycopg.Error as error:
            raise CohortUnusable(f"PostgreSQL: {_first_line(error)}") from error


# --- CSV files -------------------------------------------------------------------------------------------------------
@contextmanager
def _files(folder: Path, columns: Columns) -> Iterator[Tables]:
    import duckdb

    with closing(duckdb.connect()) as connection:
        for table, needed in columns.items():
            file = _file(folder, table)
            try:
                everything = connection.read_csv(str(file), all_varchar=True, **FORMAT)
                refuse_missing([name.lower() for name in everything.columns], needed=needed, where=file.name)
                everything.project(_typed(needed)).create_view(table)
            except duckdb.Error as error:
                raise CohortUnusable(f"{file.name} is not CSV that can be read") from error
        yield _Files(connection)


class _Files:
    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def batches(self, sql: str, values: Sequence[int] = ()) -> Iterator[list[tuple[Any, ...]]]:
        import duckdb

        try:
            found = self.connection.execute(sql, values)
            while batch := found.fetchmany(BATCH):
                yield batch
        except duckdb.Error as error:
            raise CohortUnusable(_wrong_cell(error)) from error


def _typed(needed: Mapping[str, str]) -> str:
    """Types are ours, not guessed from the first lines: "0250" is a code, and a column may begin with nothing."""
    return ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in needed.items())


def _file(folder: Path, table: str) -> Path:
    """`TABLE.csv` or `TABLE.csv.gz` in any case; `TABLE_part.csv` where somebody cut out a part."""
    named = re.compile(rf"{table}(_\w+)?\.csv(\.gz)?", re.IGNORECASE)
    found = sorted(file for file in folder.iterdir() if named.fullmatch(file.name)) if folder.is_dir() else []
    if len(found) != 1:
        raise CohortUnusable(f"expected one {table}.csv or {table}.csv.gz, found {len(found)}")
    return found[0]


def _wrong_cell(error: Exception) -> str:
    """Where it stands, and not what: it is of somebody's record."""
    where = _WHERE.search(str(error))
    if where is None:
        return f"the CSV files: {_first_line(error)}"
    return f"{Path(where['path']).name}, line {where['line']}: {where['column']} is not what this column holds"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
