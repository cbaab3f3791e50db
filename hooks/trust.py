"""Who is calling: the EHR's JWT, checked as CDS Hooks 2.0.1, "Trusting CDS Clients", and its best practices list it.

The reason for a refusal goes to the log; the caller gets a bare 401.
"""

from __future__ import annotations

import json
import logging
import time
from functools import lru_cache
from typing import Any, cast

import requests
from django.conf import settings
from django.core.cache import cache
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from cds.errors import FhirError, Refused
from cds.http import bounded
from cds.models import Ehr

logger = logging.getLogger(__name__)

LEEWAY_SECONDS = 5
LONGEST_LIFE_SECONDS = 3600  # best practices: no more than about an hour
_JWKS_SECONDS = 300
_READ_AGAIN_SECONDS = 10  # an unknown kid makes us read the keys again, this often at most
_KEY_TYPES = {"ES384": "EC", "ES256": "EC", "RS384": "RSA", "RS256": "RSA"}


class Caller(BaseAuthentication):
    """Django REST framework authentication: `request.auth` becomes the Ehr that signed the call."""

    def authenticate(self, request: Request) -> tuple[None, Ehr]:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _refusal("no bearer token")
        # The audience is the URL that we are known by, never one made from the Host header.
        return None, trust(token.strip(), audience=settings.BASE_URL + request.path)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def caller(request: Request) -> Ehr:
    """Who signed this request; `Caller` has made sure that there is one."""
    return cast("Ehr", request.auth)


def trust(token: str, *, audience: str) -> Ehr:
    """The Ehr whose key signed this token for exactly this URL, once; else Refused."""
    try:
        unchecked = jws.extract_compact(token.encode())
        ehr = _claimed(unchecked.payload)
        key = _key(ehr, unchecked.headers())
        claims = jwt.decode(token, key, algorithms=_algorithms(ehr)).claims
    except (JoseError, ValueError, TypeError) as error:
        raise _refusal(type(error).__name__) from error
    _check(claims, audience=audience)
    _once(claims, ehr)
    return ehr


def _refusal(reason: str) -> Refused:
    logger.warning("a hook was refused: %s", reason)
    return Refused(reason)


def _claimed(payload: bytes) -> Ehr:
    """Who the token says it is from; nothing else in it is believed yet."""
    claims = json.loads(payload)
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    ehr = Ehr.objects.filter(hook_issuer=issuer, active=True).first() if isinstance(issuer, str) else None
    if ehr is None:
        raise _refusal("the issuer is not registered")
    return ehr


def _algorithms(ehr: Ehr) -> list[str]:
    """Pinned for each issuer; `none` and HMAC are not in the table at all."""
    return [name.strip() for name in ehr.hook_algorithms.split(",") if name.strip() in _KEY_TYPES]


def _key(ehr: Ehr, header: dict[str, Any]) -> Key:
    """The one registered key of this kid, of the type that fits the algorithm. A `jku` is compared, never followed."""
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in _algorithms(ehr) or not isinstance(kid, str):
        raise _refusal("algorithm or kid")
    if header.get("jku", ehr.hook_jwks_url) != ehr.hook_jwks_url:
        raise _refusal("jku is not the registered one")
    for published in (_published(ehr), _published_now(ehr)):
        found = [key for key in published if key.kid == kid and key.key_type == _KEY_TYPES[algorithm]]
        if len(found) == 1:
            return found[0]
    raise _refusal("no such key")


def _published(ehr: Ehr) -> KeySet:
    """The EHR's keys, as last read."""
    found = cache.get(f"hooks:jwks:{ehr.pk}")
    return _parsed(found) if found else _published_now(ehr)


def _published_now(ehr: Ehr) -> KeySet:
    """The EHR's keys, read again, but not more often than every few seconds."""
    known = f"hooks:jwks:{ehr.pk}"
    if cache.add(f"{known}:read", 1, _READ_AGAIN_SECONDS) or cache.get(known) is None:
        session = bounded(requests.Session(), origins=(ehr.hook_jwks_url,), private_network=ehr.private_network)
        try:
            cache.set(known, session.get(ehr.hook_jwks_url).text, _JWKS_SECONDS)
        except FhirError as error:
            raise _refusal("the EHR's keys cannot be read") from error
    return _parsed(cache.get(known))


@lru_cache(maxsize=64)
def _parsed(published: str) -> KeySet:
    return KeySet.import_key_set(json.loads(published))


def _check(claims: dict[str, Any], *, audience: str) -> None:
    """iat, exp, aud, jti: all required."""
    now = time.time()
    issued, expires, named = claims.get("iat"), claims.get("exp"), claims.get("aud")
    if not isinstance(issued, int | float) or not isinstance(expires, int | float):
        raise _refusal("iat or exp")
    if not issued - LEEWAY_SECONDS <= now <= expires + LEEWAY_SECONDS or expires - issued > LONGEST_LIFE_SECONDS:
        raise _refusal("expired, not valid yet, or valid for too long")
    if audience not in (named if isinstance(named, list) else [named]):
        raise _refusal("another audience")
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise _refusal("no jti")


def _once(claims: dict[str, Any], ehr: Ehr) -> None:
    """After the signature: the first use wins, in all processes (the cache's `add` is atomic)."""
    life = max(1, int(claims["exp"] - time.time()) + 2 * LEEWAY_SECONDS)
    if not cache.add(f"hooks:jti:{ehr.pk}:{claims['jti']}", 1, life):
        raise _refusal("jti was used before")
