"""Tables in PostgreSQL: what is not there is named, what goes away says so, and nothing can be written."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from scoring.cohorts.tables import opened
from scoring.errors import CohortUnusable
from tests.scoring.cohorts.warehouse import URL, postgres_only

SCHEMA = "bedside_test_tables"


@pytest.fixture
def schema() -> Iterator[str]:
    """A schema with a table `things` of two columns and 120,000 rows."""
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
        connection.execute(
            f"CREATE TABLE {SCHEMA}.things AS SELECT n, n * 2.0 AS twice FROM generate_series(1, 120000) n"
        )
        connection.execute(f"CREATE SEQUENCE {SCHEMA}.counter")
        yield SCHEMA
        connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


@postgres_only
def test_rows_come_in_batches(schema: str) -> None:
    with opened(URL, {"things": {"n": "BIGINT"}}, schema=schema) as tables:
        sizes = [len(batch) for batch in tables.batches("SELECT n FROM things WHERE n > $1", [20_000])]
    assert sizes == [50_000, 50_000]


@postgres_only
def test_a_missing_table_or_column_is_named(schema: str) -> None:
    with pytest.raises(CohortUnusable, match='relation "labevents" does not exist'):
        opened(URL, {"labevents": {"n": "BIGINT"}}, schema=schema).__enter__()
    with pytest.raises(CohortUnusable, match="the table things has no column thrice"):
        opened(URL, {"things": {"n": "BIGINT", "thrice": "BIGINT"}}, schema=schema).__enter__()


@postgres_only
def test_nothing_can_be_written(schema: str) -> None:
    with (
        opened(URL, {"things": {"n": "BIGINT"}}, schema=schema) as tables,
        pytest.raises(CohortUnusable, match="read-only"),
    ):
        list(tables.batches("SELECT nextval('counter')"))


@postgres_only
def test_a_database_that_goes_away_between_two_batches_is_one_clear_sentence(schema: str) -> None:
    with opened(URL, {"things": {"n": "BIGINT"}}, schema=schema) as tables:
        [[(process,)]] = tables.batches("SELECT pg_backend_pid()")
        batches = tables.batches("SELECT n FROM things")
        assert len(next(batches)) == 50_000
        with psycopg.connect(URL, autocommit=True) as other:
            assert other.execute("SELECT pg_terminate_backend(%s, 5000)", [process]).fetchone() == (True,)
        with pytest.raises(CohortUnusable, match=r"^PostgreSQL: .*terminat"):
            next(batches)


def test_a_server_that_is_not_there_is_one_clear_sentence_without_the_password() -> None:
    with pytest.raises(CohortUnusable, match=r"PostgreSQL: .*refused") as caught:
        opened("postgres://reader:secret@127.0.0.1:1/mimic", {}, schema="mimiciii").__enter__()
    assert "secret" not in str(caught.value)


def test_an_address_that_is_none_does_not_print_it() -> None:
    with pytest.raises(CohortUnusable, match="not one of PostgreSQL") as caught:
        opened("postgres://reader:sec%ret@127.0.0.1/mimic", {}, schema="mimiciii").__enter__()
    assert "sec" not in str(caught.value)
