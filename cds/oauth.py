"""Our OAuth client at an EHR: within the limits of `cds.http`, proving itself in the way that the EHR's row says.

Public: PKCE alone. Symmetric: HTTP Basic. Asymmetric: a fresh signed assertion each time, for five minutes at most.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT, private_key_jwt_sign

from cds.http import bounded
from cds.keys import signing_key
from cds.models import Ehr

ASSERTION_SECONDS = 280  # SMART allows 300; some clocks are off

_Signed = tuple[str, dict[str, str], str]


def client_of(ehr: Ehr, *, token_endpoint: str, **options: Any) -> OAuth2Session:
    """For authorization, tokens and revocation; it reaches the FHIR base and the registered login origins only."""
    method = _METHODS[Ehr.ClientKind(ehr.client_kind)](ehr, token_endpoint)
    session = OAuth2Session(
        client_id=ehr.client_id,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        code_challenge_method="S256",
        **options,
    )
    return bounded(session, origins=origins_of(ehr), private_network=ehr.private_network)


def system_client_of(ehr: Ehr, *, token_endpoint: str) -> OAuth2Session:
    """For SMART Backend Services, where there is no user: always by signed assertion."""
    method = _Assertion(ehr, token_endpoint, client_id=ehr.system_client_id)
    session = OAuth2Session(client_id=ehr.system_client_id, token_endpoint_auth_method=method)
    return bounded(session, origins=origins_of(ehr), private_network=ehr.private_network)


def origins_of(ehr: Ehr) -> tuple[str, ...]:
    """Where this EHR's FHIR and login servers are, as an administrator has registered them."""
    return (ehr.fhir_base, *ehr.login_origins.split())


def _basic(ehr: Ehr, _: str) -> Callable[..., _Signed]:
    """RFC 6749, 2.3.1: id and secret are form-encoded before Basic puts a colon between them."""
    secret = bytes(ehr.client_secret or b"").decode()
    credentials = b64encode(f"{quote_plus(ehr.client_id)}:{quote_plus(secret)}".encode()).decode()

    def sign(_auth: Any, _method: str, url: str, headers: dict[str, str], body: str) -> _Signed:
        headers["Authorization"] = f"Basic {credentials}"
        return url, headers, body

    return sign


class _Assertion(PrivateKeyJWT):  # type: ignore[misc]
    """Authlib's, with a life of minutes (its own is an hour), our key's id, and a new `jti` for every request."""

    def __init__(self, ehr: Ehr, token_endpoint: str, *, client_id: str = "") -> None:
        super().__init__(token_endpoint)
        self.ehr, self.client_id = ehr, client_id or ehr.client_id

    def sign(self, auth: Any, token_endpoint: str) -> str:
        algorithm = self.ehr.client_algorithm
        key = signing_key(algorithm)
        return str(
            private_key_jwt_sign(
                key,
                client_id=self.client_id,
                token_endpoint=token_endpoint,
                alg=algorithm,
                header={"kid": key.kid, "typ": "JWT"},
                expires_in=ASSERTION_SECONDS,
            )
        )


_METHODS: dict[str, Callable[[Ehr, str], Any]] = {
    Ehr.ClientKind.PUBLIC: lambda _ehr, _url: "none",
    Ehr.ClientKind.SYMMETRIC: _basic,
    Ehr.ClientKind.ASYMMETRIC: _Assertion,
}
