"""A published set of keys (JWKS, RFC 7517), read with care: hooks and launches are both signed with one."""

from __future__ import annotations

import logging
import re
from functools import lru_cache

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

logger = logging.getLogger(__name__)

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)


def max_age(cache_control: str) -> int | None:
    """For how many seconds it may be kept, as Cache-Control says; 0 if not at all, None if nothing is said."""
    if "no-store" in cache_control.lower() or "no-cache" in cache_control.lower():
        return 0
    said = _MAX_AGE.search(cache_control)
    return int(said[1]) if said else None


@lru_cache(maxsize=64)
def read_keys(content: bytes) -> tuple[Key, ...]:
    """ValueError if it is no set. One key that we cannot read (a curve that we do not know) does not spoil the others."""
    found = msgspec.json.decode(content)
    members = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(members, list):
        raise ValueError("not a set of keys")
    return tuple(key for member in members if (key := _read(member)) is not None)


def _read(member: object) -> Key | None:
    try:
        return JWKRegistry.import_key(member)  # type: ignore[arg-type]  # whatever was published
    except (JoseError, ValueError, TypeError, KeyError) as error:
        logger.info("a published key cannot be used: %s", type(error).__name__)
        return None
