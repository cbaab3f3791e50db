"""An outside system with keys of its own, and the tokens that it signs: good ones, and such as a test wants them."""

from __future__ import annotations

import base64
import hmac
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.test import Client
from joserfc import jws
from joserfc.jwk import ECKey, Key, KeySet, RSAKey

from cds.models import Ehr
from smartapp.backend.assertions import ASSERTION_TYPE
from smartapp.backend.models import BackendClient
from smartapp.backend.scopes import PREDICT

RSA = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)
EC = ECKey.generate_key("P-384", {"use": "sig"}, auto_kid=True)
KEYS: dict[str, Key] = {"RS384": RSA, "ES384": EC}


def published(*keys: Key) -> str:
    return json.dumps(KeySet(list(keys)).as_dict(private=False))


@dataclass
class Outside:
    """A caller of ours, with the browserless client that it calls us with."""

    row: BackendClient
    algorithm: str = "ES384"
    web: Client = field(default_factory=lambda: Client(SERVER_NAME="localhost"))

    @classmethod
    def registered(cls, ehr: Ehr, name: str = "Night batch", **fields: Any) -> Outside:
        fields = {"jwks": published(RSA, EC), "scopes": PREDICT, **fields}
        return cls(BackendClient.objects.create(name=name, ehr=ehr, **fields))

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        usual = {
            "iss": self.row.client_id,
            "sub": self.row.client_id,
            "aud": f"{settings.BASE_URL}/api/token",
            "iat": now,
            "exp": now + 240,
            "jti": str(uuid.uuid4()),
        }
        return {name: value for name, value in (usual | changed).items() if value is not None}

    def header(self, **changed: Any) -> dict[str, Any]:
        usual = {"alg": self.algorithm, "kid": KEYS[self.algorithm].kid, "typ": "JWT"}
        return {name: value for name, value in (usual | changed).items() if value is not None}

    def assertion(self, header: dict[str, Any] | None = None, key: Key | None = None, **claims: Any) -> str:
        payload = json.dumps(self.claims(**claims)).encode()
        key = key or KEYS[self.algorithm]
        algorithms = ["RS384", "ES384"]
        return jws.serialize_compact(self.header(**(header or {})), payload, key, algorithms=algorithms)

    def form(self, assertion: str = "", **changed: Any) -> dict[str, Any]:
        usual = {
            "grant_type": "client_credentials",
            "scope": PREDICT,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion or self.assertion(),
        }
        return {name: value for name, value in (usual | changed).items() if value is not None}

    def ask(self, assertion: str = "", **changed: Any) -> Any:
        return self.web.post("/api/token", urlencode(self.form(assertion, **changed)), content_type=FORM)

    def token(self, scope: str = "") -> str:
        answer = self.ask(scope=scope or self.row.scopes)
        assert answer.status_code == 200, answer.content
        return str(answer.json()["access_token"])

    def signed(self, scope: str = "") -> dict[str, str]:
        """The header of a call."""
        return {"Authorization": f"Bearer {self.token(scope)}"}


FORM = "application/x-www-form-urlencoded"


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join((*parts, ""))


def with_public_key_as_secret(outside: Outside) -> str:
    """The classic confusion: an HMAC whose secret everybody can read. By hand, as the library refuses."""
    head = unsigned(outside.header(alg="HS256", kid=RSA.kid), outside.claims()).rpartition(".")[0]
    mac = hmac.digest(RSA.as_pem(private=False), head.encode(), "sha256")
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
