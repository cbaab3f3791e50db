"""The one registered app, and how it proves to be itself (SMART, "Client Authentication: Asymmetric")."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote_plus

import requests
from django.conf import settings
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from smartapp.demo_ehr import addresses
from smartapp.demo_ehr.tokens import Claims, OnceOnly

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ["RS384", "ES384"]
LONGEST_ASSERTION_SECONDS = 300
CLOCK_SKEW_SECONDS = 10
SECONDS_FOR_KEYS = 5

used_assertions = OnceOnly()


class InvalidClient(Exception):
    """Not the registered app."""


def require_client(form: Mapping[str, str], *, authorization: str, public_allowed: bool) -> None:
    """A signed assertion, a secret, or only the name where a public client is accepted."""
    if "client_assertion" in form:
        require_assertion(form["client_assertion"], form.get("client_assertion_type", ""))
        return
    if authorization and public_allowed:
        require_secret(authorization)
        return
    if not public_allowed:
        raise InvalidClient("a signed client assertion is needed")
    if form.get("client_id") != addresses.CLIENT_ID:
        raise InvalidClient("unknown client_id")


def require_secret(authorization: str) -> None:
    """RFC 6749, 2.3.1: HTTP Basic, each half form-encoded before the colon joins them."""
    known = f"{quote_plus(addresses.CLIENT_ID)}:{quote_plus(addresses.CLIENT_SECRET)}"
    if not hmac.compare_digest(authorization, f"Basic {base64.b64encode(known.encode()).decode()}"):
        raise InvalidClient("unknown client id or secret")


def require_assertion(assertion: str, assertion_type: str) -> None:
    if assertion_type != ASSERTION_TYPE:
        raise InvalidClient("unknown client_assertion_type")
    try:
        token = jwt.decode(assertion, registered_keys(), algorithms=ALGORITHMS)
        expected_claims().validate(token.claims)
    except (JoseError, ValueError) as error:
        raise InvalidClient("the client assertion is not valid") from error
    if "kid" not in token.header or token.header.get("jku", addresses.app("/jwks.json")) != addresses.app("/jwks.json"):
        raise InvalidClient("the client assertion names other keys than those registered")
    require_fresh(token.claims)


def expected_claims() -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        leeway=CLOCK_SKEW_SECONDS,
        iss={"essential": True, "value": addresses.CLIENT_ID},
        sub={"essential": True, "value": addresses.CLIENT_ID},
        aud={"essential": True, "value": addresses.token_endpoint()},
        exp={"essential": True},
        jti={"essential": True},
    )


def require_fresh(claims: Claims) -> None:
    if claims["exp"] > time.time() + LONGEST_ASSERTION_SECONDS + CLOCK_SKEW_SECONDS:
        raise InvalidClient("the client assertion lives longer than five minutes")
    if not used_assertions.first(str(claims["jti"]), expires=claims["exp"] + CLOCK_SKEW_SECONDS):
        raise InvalidClient("the client assertion was used before")


def registered_keys() -> KeySet:
    """From the PEM file that the hospital was given (`DEMO_EHR_CLIENT_PEM`), else from the app's JWKS URL."""
    if pem := getattr(settings, "DEMO_EHR_CLIENT_PEM", ""):
        return KeySet([key_in(Path(pem).read_bytes())])
    try:
        answer = requests.get(addresses.app("/jwks.json"), timeout=SECONDS_FOR_KEYS, allow_redirects=False)
        answer.raise_for_status()
        return KeySet.import_key_set(answer.json())
    except requests.RequestException as error:
        raise InvalidClient("the app's keys could not be fetched") from error


def key_in(pem: bytes) -> ECKey | RSAKey:
    try:
        return ECKey.import_key(pem)
    except (JoseError, ValueError):
        return RSAKey.import_key(pem)
