"""CSV files in a schema of the tests' own, where the tests run on PostgreSQL."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from scoring.cohorts.tables import Columns

URL = os.environ.get("DATABASE_URL", "")
postgres_only = pytest.mark.skipif(not URL.startswith("postgres"), reason="DATABASE_URL names no PostgreSQL")


@contextmanager
def warehouse(folder: Path, columns: Columns, *, schema: str) -> Iterator[str]:
    """The URL of a database where each table is loaded from its file with COPY, under its standard name."""
    with psycopg.connect(URL, autocommit=True) as connection:
        drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema))
        connection.execute(drop)
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        try:
            for table, types in columns.items():
                (file,) = folder.glob(f"{table.upper()}*.csv.gz")
                _load(connection, file, sql.Identifier(schema, table), types)
            yield f"{URL}{'&' if '?' in URL else '?'}options=-c%20search_path%3D{schema}"
        finally:
            connection.execute(drop)


def _load(connection: psycopg.Connection, file: Path, table: sql.Identifier, types: Mapping[str, str]) -> None:
    with gzip.open(file, "rt") as stream:
        names = stream.readline().strip().lower().split(",")
        kinds = [types.get(name, "TEXT").replace("DOUBLE", "DOUBLE PRECISION") for name in names]
        described = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
            for name, kind in zip(names, kinds, strict=True)
        )
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(table, described))
        with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(table)) as copy:
            while block := stream.read(1 << 20):
                copy.write(block)
