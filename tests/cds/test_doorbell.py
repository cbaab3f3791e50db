"""Who rings, who knocks, and what happens when nobody is there: against the Redis that REDIS_URL names, where there is one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import cast

import pytest
from pytest_django import Settings

from cds import doorbell

needs_redis = pytest.mark.skipif(
    not os.environ.get("REDIS_URL"), reason="embedded, each message is sent: it costs nothing"
)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Nobody has knocked."""
    doorbell.answered()
    yield
    doorbell.answered()


def test_a_ring_is_heard_by_each_who_listens_for_it_and_by_nobody_else() -> None:
    with doorbell.listening("a") as a, doorbell.listening("b") as b, doorbell.listening("c") as c:
        doorbell.ring("a", "b")
        assert [bell.wait(0.01) for bell in (a, b, c)] == [True, True, False]


@pytest.mark.skipif(bool(os.environ.get("REDIS_URL")), reason="with Redis each ring is for one")
def test_two_who_wait_for_the_same_answer_both_hear_it() -> None:
    with doorbell.listening("both") as one, doorbell.listening("both") as other:
        doorbell.ring("both")
        assert [one.wait(1), other.wait(1)] == [True, True]


def test_who_gives_up_takes_nobody_elses_bell_away() -> None:
    with doorbell.listening("late") as patient:
        with doorbell.listening("late") as hasty:
            assert not hasty.wait(0.01)
        doorbell.ring("late")
        assert patient.wait(1)


@needs_redis
def test_while_a_message_is_on_its_way_no_other_is_sent() -> None:
    assert [doorbell.knock() for _ in range(3)] == [True, False, False]


@needs_redis
def test_once_a_worker_looks_the_next_one_knocks_again() -> None:
    doorbell.knock()
    doorbell.answered()
    assert doorbell.knock()


@needs_redis
def test_a_knock_that_nobody_answers_is_forgotten_before_long() -> None:
    doorbell.knock()
    milliseconds = cast("int", doorbell._redis().pttl(doorbell._KNOCK_KEY))
    assert 0 < milliseconds <= 500


def test_without_a_queue_a_message_is_tried_all_the_same(settings: Settings) -> None:
    settings.EMBEDDED, settings.REDIS_URL = False, "redis://127.0.0.1:1/0"
    doorbell._redis.cache_clear()
    try:
        assert doorbell.knock()
    finally:
        doorbell._redis.cache_clear()


def test_who_waits_for_the_embedded_worker_is_told_when_its_models_are_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMBEDDED = True
    monkeypatch.setattr(doorbell, "_loaded", threading.Event())
    assert not doorbell.worker_loaded(0.01)
    doorbell.worker_seen()
    assert doorbell.worker_loaded(0.01)
