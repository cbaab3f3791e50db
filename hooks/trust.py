"""Who is calling: the EHR's JWT, checked as CDS Hooks 2.0.1, "Trusting CDS Clients", and its best practices list it.

The reason for a refusal goes to the log and the audit trail (hooks.refusals); the caller gets a bare 401.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any, cast

from django.conf import settings
from django.db.models import CharField
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from cds.errors import Refused
from cds.models import Ehr
from cds.prepared import Question
from hooks import memory
from hooks.jwks import key_for

LEEWAY_SECONDS = 5
LONGEST_LIFE_SECONDS = 3600  # best practices: no more than about an hour
_registered = Question(lambda issuer: Ehr.objects.filter(hook_issuer=issuer), issuer=CharField())
_KEY_TYPES = {"ES384": "EC", "ES256": "EC", "RS384": "RSA", "RS256": "RSA"}


class Caller(BaseAuthentication):
    """Django REST framework authentication: `request.auth` becomes the Ehr that signed the call."""

    def authenticate(self, request: Request) -> tuple[None, Ehr] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused("no bearer token")
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
        claims = json.loads(unchecked.payload)
        ehr = _claimed(claims)
        key = _key(ehr, unchecked.headers())
        signed = jws.validate_compact(unchecked, key, algorithms=_algorithms(ehr))
    except (JoseError, ValueError, TypeError) as error:
        raise Refused(type(error).__name__) from error
    if not signed:
        raise Refused("bad signature")
    _check_times(claims)
    _check_names(claims, audience=audience)
    _once(claims, ehr)
    return ehr


def _claimed(claims: Any) -> Ehr:
    """Whose token it says it is, by issuer and tenant; nothing in it is believed before its signature is checked."""
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    readable = isinstance(issuer, str) and "\0" not in issuer  # which PostgreSQL refuses in a question
    registered = _registered(issuer=issuer) if readable else []
    if not registered:
        raise Refused("the issuer is not registered")
    if len(registered) > 1 or registered[0].hook_tenant:  # the switched-off ones too: nobody answers in their stead
        registered = [ehr for ehr in registered if ehr.hook_tenant == claims.get("tenant") != ""]
    if len(registered) != 1 or not registered[0].active:
        raise Refused("another tenant, or an EHR that is switched off")
    return registered[0]


def _algorithms(ehr: Ehr) -> list[str]:
    """Pinned for each issuer; `none` and HMAC are not in the table at all."""
    return [name.strip() for name in ehr.hook_algorithms.split(",") if name.strip() in _KEY_TYPES]


def _key(ehr: Ehr, header: dict[str, Any]) -> Key:
    """The one registered key of this kid, of the type that fits the algorithm. A `jku` is compared, never followed."""
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in _algorithms(ehr) or not isinstance(kid, str):
        raise Refused("algorithm or kid")
    if header.get("jku", ehr.hook_jwks_url) != ehr.hook_jwks_url:
        raise Refused("jku is not the registered one")
    return key_for(ehr, kid=kid, key_type=_KEY_TYPES[algorithm])


def _check_times(claims: dict[str, Any]) -> None:
    """iat and exp are required; nbf, which Epic sends, counts if it is there."""
    now = time.time()
    issued, expires, begins = (_time(claims.get(name)) for name in ("iat", "exp", "nbf"))
    if issued is None or expires is None or (begins is None and "nbf" in claims):
        raise Refused("iat, exp or nbf")
    if not max(issued, begins or 0) - LEEWAY_SECONDS <= now <= expires + LEEWAY_SECONDS:
        raise Refused("expired, or not valid yet")
    if expires - issued > LONGEST_LIFE_SECONDS:
        raise Refused("valid for too long")


def _time(claim: Any) -> float | None:
    return claim if isinstance(claim, int | float) else None


def _check_names(claims: dict[str, Any], *, audience: str) -> None:
    named = claims.get("aud")
    if audience not in (named if isinstance(named, list) else [named]):
        raise Refused("another audience")
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise Refused("no jti")


def _once(claims: dict[str, Any], ehr: Ehr) -> None:
    """After the signature: the first use wins, in all processes."""
    life = max(1, int(claims["exp"] - time.time()) + 2 * LEEWAY_SECONDS)
    jti = hashlib.sha256(claims["jti"].encode(errors="replace")).hexdigest()  # no cache takes any text as a key
    if not memory.first_use(f"hooks:jti:{ehr.pk}:{jti}", seconds=life):
        raise Refused("jti was used before")
