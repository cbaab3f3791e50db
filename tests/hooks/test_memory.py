"""Redis is down: callers are still known, a token still counts once, and the hook answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from cds import doorbell
from cds.models import AuditEntry, Ehr
from hooks import memory
from hooks.models import UsedToken
from smartapp.demo_ehr import hooks as emr
from tests.at_once import at_once

SERVICE = "diabetes-risk"


def call(patient: str, *, jwt: str | None = None) -> Any:
    service = next(one for one in emr.services() if one["id"] == SERVICE)
    return emr.post(emr.endpoint(SERVICE), emr.hook_request(patient, service), jwt=jwt)


def test_the_hook_answers(hospital: Ehr, no_redis: str) -> None:
    answer = call("ada")
    assert answer.status_code == 200, answer.text
    assert "No HbA1c on record" in answer.json()["cards"][0]["summary"]


def test_a_token_still_counts_once(hospital: Ehr, no_redis: str) -> None:
    token = emr.sign(emr.endpoint(SERVICE))
    assert call("ada", jwt=token).status_code == 200
    assert call("ada", jwt=token).status_code == 401


def test_of_two_at_once_one_is_first(transactional_db: None, no_redis: str) -> None:
    won = at_once(2, lambda: memory.first_use("t", seconds=60))
    assert sorted(won) == [False, True]


def test_a_token_is_forgotten_when_it_is_over(db: None, no_redis: str) -> None:
    UsedToken.objects.create(token="old", until=timezone.now() - timedelta(seconds=1))
    memory.first_use("new", seconds=60)
    assert list(UsedToken.objects.values_list("token", flat=True)) == ["new"]


def test_what_this_process_kept_is_recalled(settings: Any, no_redis: str) -> None:
    memory.keep("place", "keys", seconds=60)
    assert memory.recall("place") == "keys"
    assert memory.recall("elsewhere") is None


def test_with_redis_nothing_goes_to_the_database(db: None) -> None:
    cache.delete("t")
    assert memory.first_use("t", seconds=60)
    assert not memory.first_use("t", seconds=60)
    assert not UsedToken.objects.exists()


def test_nobody_is_waited_for_when_the_queue_does_not_answer(settings: Any, no_redis: str) -> None:
    settings.EMBEDDED, settings.REDIS_URL = False, no_redis
    doorbell._redis.cache_clear()
    try:
        assert not doorbell.worker_alive()
        with doorbell.listening("somebody") as bell:
            assert not bell.wait(30)
    finally:
        doorbell._redis.cache_clear()


@pytest.fixture
def silent_redis(settings: Settings) -> Iterator[str]:
    """The address of one that takes every call and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        options = {"socket_timeout": settings.REDIS_ANSWER_SECONDS}
        backend = {"BACKEND": "config.cache.KeptRedisCache", "LOCATION": url, "OPTIONS": options}
        settings.CACHES = {**settings.CACHES, "default": backend}
        settings.EMBEDDED, settings.REDIS_URL = False, url
        doorbell._redis.cache_clear()
        yield url
        doorbell._redis.cache_clear()


@pytest.mark.timeout(60)
def test_one_that_says_nothing_is_not_waited_for_either(db: None, silent_redis: str) -> None:
    assert memory.first_use("t", seconds=60)
    assert not memory.first_use("t", seconds=60)
    assert not doorbell.worker_alive()
    assert doorbell.knock()


def test_a_database_that_goes_away_in_the_middle_of_a_call_is_a_503(hospital: Ehr) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE hooks_hookcall RENAME TO hooks_hookcall_away")
    try:
        answer = call("ada")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE hooks_hookcall_away RENAME TO hooks_hookcall")
    assert answer.status_code == 503
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert not AuditEntry.objects.filter(action="hook").exists()
