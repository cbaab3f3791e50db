"""A published set of keys (JWKS, RFC 7517), read with care: hooks and launches are both signed with one."""

from __future__ import annotations

import logging
from functools import lru_cache

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

logger = logging.getLogger(__name__)


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
