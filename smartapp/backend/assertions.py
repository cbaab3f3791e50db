"""Who asks for a token: the caller's signed assertion (RFC 7523; SMART App Launch 2.2, asymmetric authentication).

The reason for a refusal goes to the log and the audit trail; the caller learns that it was not let in.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from joserfc import jws
from joserfc.errors import JoseError

from cds.errors import Refused
from smartapp.backend.jwks import key_for
from smartapp.backend.models import BackendClient, UsedAssertion, usable

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_LIFE_SECONDS = 300
LEEWAY_SECONDS = 5
# Header members by which a token would bring its own key, or ask for rules that we do not know.
_NOT_TAKEN = ("crit", "jwk", "x5u", "x5c", "b64")

Find = Callable[[str], BackendClient | None]


def caller(find: Find, form: Mapping[str, str], *, audience: str) -> BackendClient:
    """The client whose key signed this assertion for exactly this end point, once; else Refused."""
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise Refused("another assertion type")
    try:
        unchecked = jws.extract_compact(form.get("client_assertion", "").encode())
        header, claims = unchecked.headers(), json.loads(unchecked.payload)
        client = _claimed(find, claims, form)
        key = key_for(client, kid=_kid(client, header), algorithm=header["alg"])
        signed = jws.validate_compact(unchecked, key, algorithms=usable(client.algorithms))
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise Refused(type(error).__name__) from error
    if not signed:
        raise Refused("bad signature")
    _check_claims(claims, audience=audience)
    _once(client, claims)
    return client


def _claimed(find: Find, claims: Any, form: Mapping[str, str]) -> BackendClient:
    """Whose it says it is; nothing in it is believed before its signature is checked."""
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    client = find(issuer) if isinstance(issuer, str) and "\0" not in issuer else None
    if client is None:
        raise Refused("the issuer is no active caller")
    if claims.get("sub") != issuer or form.get("client_id", issuer) != issuer:
        raise Refused("iss, sub and client_id differ")
    return client


def _kid(client: BackendClient, header: Mapping[str, Any]) -> str:
    """Of a header that we take. A `jku` is compared, never followed."""
    if header.get("alg") not in usable(client.algorithms):
        raise Refused("algorithm")
    if str(header.get("typ", "JWT")).upper() != "JWT" or any(name in header for name in _NOT_TAKEN):
        raise Refused("typ, or a header that is not taken")
    if "jku" in header and (not client.jwks_url or header["jku"] != client.jwks_url):
        raise Refused("jku is not the registered one")
    if not isinstance(header.get("kid"), str):
        raise Refused("no kid")
    return str(header["kid"])


def _check_claims(claims: Mapping[str, Any], *, audience: str) -> None:
    named, now = claims.get("aud"), time.time()
    if audience not in (named if isinstance(named, list) else [named]):
        raise Refused("another audience")
    if not now - LEEWAY_SECONDS < _time(claims, "exp") <= now + LONGEST_LIFE_SECONDS + LEEWAY_SECONDS:
        raise Refused("expired, or valid for too long")
    if any(not _time(claims, name) <= now + LEEWAY_SECONDS for name in ("iat", "nbf") if name in claims):
        raise Refused("iat or nbf lies ahead")
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise Refused("no jti")


def _time(claims: Mapping[str, Any], name: str) -> float:
    found = claims.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise Refused(f"no {name}")
    return found


def _once(client: BackendClient, claims: Mapping[str, Any]) -> None:
    """After the signature: the first use wins, in all processes, whatever becomes of the cache."""
    until = datetime.fromtimestamp(claims["exp"] + 2 * LEEWAY_SECONDS, tz=UTC)
    UsedAssertion.objects.filter(until__lt=timezone.now() - timedelta(seconds=LEEWAY_SECONDS)).delete()
    jti_hash = hashlib.sha256(claims["jti"].encode(errors="surrogatepass")).hexdigest()
    try:
        with transaction.atomic():
            UsedAssertion.objects.create(client=client, jti_hash=jti_hash, until=until)
    except IntegrityError as error:
        raise Refused("jti was used before") from error
