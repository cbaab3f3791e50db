"""The hospital's keys, and what it signs with them; made at first use and gone with the process."""

from __future__ import annotations

import secrets
import threading
import time
from functools import lru_cache
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

Claims = dict[str, Any]
MAKING_KEYS = threading.Lock()


class BadToken(Exception):
    """Not signed by us, expired, or made for something else."""


def ec_key() -> ECKey:
    with MAKING_KEYS:
        return _ec_key()


def rsa_key() -> RSAKey:
    with MAKING_KEYS:
        return _rsa_key()


@lru_cache(maxsize=1)
def _ec_key() -> ECKey:
    return ECKey.generate_key("P-384", {"use": "sig", "alg": "ES384"}, auto_kid=True)


@lru_cache(maxsize=1)
def _rsa_key() -> RSAKey:
    """OpenID Connect makes every client understand RS256; the rest of SMART prefers ES384."""
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)


def public_keys() -> dict[str, Any]:
    """The JWKS."""
    return dict(KeySet([ec_key(), rsa_key()]).as_dict(private=False))


def sign_es384(claims: Claims, **header: str) -> str:
    key = ec_key()
    return jwt.encode({"alg": "ES384", "kid": str(key.kid), "typ": "JWT", **header}, claims, key, algorithms=["ES384"])


def sign_rs256(claims: Claims) -> str:
    key = rsa_key()
    return jwt.encode({"alg": "RS256", "kid": str(key.kid), "typ": "JWT"}, claims, key, algorithms=["RS256"])


def issue(use: str, *, seconds: int, **claims: Any) -> str:
    """A token of our own for ourselves: `use` is what it opens (access, code, launch, choice)."""
    now = int(time.time())
    return sign_es384({"use": use, "iat": now, "exp": now + seconds, "jti": secrets.token_urlsafe(16), **claims})


def open_token(text: str, *, use: str) -> Claims:
    """The claims of a token of ours; BadToken if it is forged, expired or meant for another use."""
    try:
        claims = jwt.decode(text, ec_key(), algorithms=["ES384"]).claims
        jwt.JWTClaimsRegistry(exp={"essential": True}, use={"essential": True, "value": use}).validate(claims)
    except (JoseError, ValueError) as error:
        raise BadToken(f"not a valid {use} token") from error
    return claims


class OnceOnly:
    """Remembers what was used until it expires anyway."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}

    def has(self, jti: str) -> bool:
        with self._lock:
            return jti in self._seen

    def first(self, jti: str, *, expires: float) -> bool:
        """True the first time, False ever after."""
        now = time.time()
        with self._lock:
            self._seen = {seen: until for seen, until in self._seen.items() if until > now}
            if jti in self._seen:
                return False
            self._seen[jti] = expires
            return True
