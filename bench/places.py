"""A PostgreSQL database and a Redis database of the run's own, made at its start and gone at its end."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

DATABASE_URL = "postgres://postgres@127.0.0.1:5432/postgres"
REDIS_URL = "redis://127.0.0.1:6379/8"
_MARK = "bedside-bench"


@contextmanager
def own_database() -> Iterator[str]:
    """The URL of a new, empty database on the server that DATABASE_URL names."""
    server = os.environ.get("DATABASE_URL") or DATABASE_URL
    name = f"bedside_bench_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def own_redis() -> Iterator[str]:
    """REDIS_URL, emptied before and after; refused where something lies in it that no run has left."""
    url = os.environ.get("REDIS_URL") or REDIS_URL
    with redis.Redis.from_url(url) as client:
        if client.dbsize() and not client.exists(_MARK):
            raise SystemExit("REDIS_URL names a Redis database that is in use; the run would empty it. Name another.")
        client.flushdb()
        client.set(_MARK, 1)
        try:
            yield url
        finally:
            client.flushdb()
