"""What the hooks' door remembers between calls, while Redis is down too: keys in this process, used tokens in the database.

Around an outage a token may so be taken twice, once before and once during it, within its life of minutes; never more often.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.core.cache import cache, caches
from django.db import IntegrityError, transaction
from django.utils import timezone
from redis.exceptions import RedisError

from hooks.models import UsedToken

logger = logging.getLogger(__name__)


def recall(place: str) -> str | int | None:
    """What was kept at this place; None if nothing was, or no longer."""
    try:
        found: str | int | None = cache.get(place)
    except RedisError as error:
        _say(error)
        found = recall_here(place)
    return found


def recall_here(place: str) -> str | int | None:
    """What this process has in mind of it."""
    found: str | int | None = caches["process"].get(place)
    return found


def keep_here(place: str, value: str | int, *, seconds: int) -> None:
    caches["process"].set(place, value, seconds)


def keep(place: str, value: str | int, *, seconds: int) -> None:
    keep_here(place, value, seconds=seconds)
    try:
        cache.set(place, value, seconds)
    except RedisError as error:
        _say(error)


def first_use(token: str, *, seconds: int) -> bool:
    """The first use wins, in all processes; `token` is a hash."""
    try:
        return bool(cache.add(token, 1, seconds))
    except RedisError as error:
        _say(error)
        return _first_in_database(token, seconds)


def _first_in_database(token: str, seconds: int) -> bool:
    now = timezone.now()
    UsedToken.objects.filter(until__lt=now).delete()
    try:
        with transaction.atomic():
            UsedToken.objects.create(token=token, until=now + timedelta(seconds=seconds))
    except IntegrityError:
        return False
    return True


def _say(error: RedisError) -> None:
    logger.error("the cache does not answer: %s", type(error).__name__)
