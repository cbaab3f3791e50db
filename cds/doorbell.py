"""The only place where a request waits: a worker rings when an assessment is done.

With Redis: RPUSH on a key per assessment with a time to live, BLPOP with the remaining budget. Embedded: an event in memory.
Celery's own results cost more (docs/decisions/003-doorbell.md).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Protocol
from weakref import WeakValueDictionary

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 1.0  # how long one wait may be: whoever took the ring first, the others see the row soon
_TTL_SECONDS = 5  # for whoever was about to listen when it rang
_WORKER_TTL_SECONDS = 15
_WORKER_KEY = "bedside:worker-seen"
_KNOCK_KEY, _KNOCK_MILLISECONDS = "bedside:knocked", 500  # a message that was lost silences nobody for longer
_events: WeakValueDictionary[str, threading.Event] = WeakValueDictionary()  # there while somebody waits
_one_at_a_time = threading.Lock()
_loaded = threading.Event()  # embedded: the worker's thread has its models


class Bell(Protocol):
    def wait(self, timeout: float) -> bool:
        """Did it ring in time? The row is the truth either way: two may wait for one ring, or one be left over.

        `timeout`: LOOK_AGAIN_SECONDS at most.
        """

    def clear(self) -> None:
        """It was heard."""


class _RedisBell:
    def __init__(self, key: str) -> None:
        self.key = key

    def wait(self, timeout: float) -> bool:
        try:
            answer_within = LOOK_AGAIN_SECONDS + settings.REDIS_ANSWER_SECONDS
            return _redis(answer_within).blpop([self.key], timeout=timeout) is not None
        except RedisError as error:
            logger.error("the doorbell is out of order: %s", type(error).__name__)
            return False

    def clear(self) -> None:
        """Whoever hears a ring takes it away."""


@contextmanager
def listening(assessment_id: str) -> Iterator[Bell]:
    """Listen before the work is queued, so that a fast worker is not missed."""
    if not settings.EMBEDDED:
        yield _RedisBell(_key(assessment_id))
        return
    with _one_at_a_time:
        event = _events.setdefault(assessment_id, threading.Event())
    yield event


def ring(*assessment_ids: str) -> None:
    """Tell whoever waits for these assessments to look at their rows."""
    if settings.EMBEDDED:
        for event in filter(None, map(_events.get, assessment_ids)):
            event.set()
        return
    with _redis().pipeline(transaction=False) as pipe:
        for key in map(_key, assessment_ids):
            pipe.rpush(key, 1)
            pipe.expire(key, _TTL_SECONDS)
        pipe.execute()


def knock() -> bool:
    """Must a message be sent? Not while one is on its way: whoever takes it looks for all that is queued by then."""
    if settings.EMBEDDED:
        return True
    try:
        return bool(_redis().set(_KNOCK_KEY, 1, nx=True, px=_KNOCK_MILLISECONDS))
    except RedisError as error:
        logger.error("the queue does not answer: %s", type(error).__name__)
        return True


def answered() -> None:
    """A worker has the message and will now look; what is queued after this needs another one."""
    if not settings.EMBEDDED:
        _redis().delete(_KNOCK_KEY)


def worker_seen() -> None:
    """Called when a worker has loaded its models, and at each heartbeat."""
    if settings.EMBEDDED:
        _loaded.set()
    else:
        _redis().set(_WORKER_KEY, 1, ex=_WORKER_TTL_SECONDS)


def worker_loaded(within_seconds: float) -> bool:
    """Embedded: wait until the thread has loaded its models, which takes seconds on a slow machine."""
    return _loaded.wait(within_seconds)


def worker_alive() -> bool:
    """Is there anybody to ring? Without, a request must not wait."""
    if settings.EMBEDDED:
        return True
    try:
        return bool(_redis().exists(_WORKER_KEY))
    except RedisError as error:
        logger.error("the queue does not answer: %s", type(error).__name__)
        return False


@lru_cache
def _redis(answer_within: float = settings.REDIS_ANSWER_SECONDS) -> Redis:
    """A client for each such time, in seconds."""
    limits = {"socket_connect_timeout": settings.REDIS_CONNECT_SECONDS, "socket_timeout": answer_within}
    return Redis.from_url(settings.REDIS_URL, **limits)


def _key(assessment_id: str) -> str:
    return f"bedside:bell:{assessment_id}"
