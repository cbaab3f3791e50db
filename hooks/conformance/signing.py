"""The JWT with which a CDS client vouches for a call, well made and in each way that a service must refuse."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeyParameters, RSAKey
from msgspec import Struct

_LIFE_SECONDS = 300
_ALGORITHMS = {"EC": "ES384", "RSA": "RS384"}


class Signer(Struct, frozen=True, kw_only=True):
    """A registered issuer: its name, its private key with a kid, and where it publishes the public one."""

    issuer: str
    key: ECKey | RSAKey
    jku: str | None = None

    @property
    def algorithm(self) -> str:
        return _ALGORITHMS[self.key.key_type]

    def good(self, audience: str, **changed: Any) -> str:
        return self._signed(self.claims(audience) | changed, self.key)

    def claims(self, audience: str) -> dict[str, Any]:
        now = int(time.time())
        jti = secrets.token_urlsafe(16)
        return {"iss": self.issuer, "aud": audience, "iat": now, "exp": now + _LIFE_SECONDS, "jti": jti}

    def of_another_key(self, audience: str) -> str:
        """Our claims and our kid, signed by a stranger."""
        stranger = type(self.key).generate_key(self._size())  # type: ignore[arg-type]  # a curve or a number of bits
        return self._signed(self.claims(audience), stranger)

    def of_another_jku(self, audience: str) -> str:
        return self._signed(self.claims(audience), self.key, jku="https://jku.invalid/keys")

    def with_hs256(self, audience: str) -> str:
        """The public key used as a shared secret, which joserfc rightly refuses to do: the confusion of algorithms."""
        unsigned = self._unsigned("HS256", audience)
        signature = hmac.digest(self.key.as_pem(private=False), unsigned.encode(), "sha256")
        return f"{unsigned}.{_base64(signature)}"

    def without_signature(self, audience: str) -> str:
        return self._unsigned("none", audience) + "."

    def _unsigned(self, algorithm: str, audience: str) -> str:
        parts = (self._header(alg=algorithm), self.claims(audience))
        return ".".join(_base64(json.dumps(part).encode()) for part in parts)

    def _size(self) -> str | int:
        return "P-384" if isinstance(self.key, ECKey) else 2048

    def _header(self, **changed: str) -> dict[str, Any]:
        header = {"alg": self.algorithm, "kid": str(self.key.kid), "typ": "JWT"}
        return header | ({"jku": self.jku} if self.jku else {}) | changed

    def _signed(self, claims: dict[str, Any], key: ECKey | RSAKey, **changed: str) -> str:
        return jwt.encode(self._header(**changed), claims, key, algorithms=[self.algorithm])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def read_key(text: bytes, *, kid: str | None) -> ECKey | RSAKey:
    """A private key from a JWK or a PEM file; ValueError if it is no such key, or has no kid."""
    material = _jwk_or_pem(text)
    parameters: KeyParameters = {"kid": kid} if kid else {}
    for kind in (ECKey, RSAKey):
        try:
            found: ECKey | RSAKey = kind.import_key(material, parameters)
        except (JoseError, ValueError, KeyError):
            continue
        if not found.kid or not found.is_private:
            raise ValueError("the key has no kid" if found.is_private else "the key is a public one")
        return found
    raise ValueError("the key is neither EC nor RSA, or its file is neither JWK nor PEM")


def _jwk_or_pem(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
