"""An OpenID provider that signs what a test says."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.serving import Silent
from tests.strangers import Stranger


class Provider(Stranger):
    """`claims` are added to those that every id_token has; `asked_for` is the query of the last authorization."""

    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = _Handler
        self.key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
        self.signs_with = self.key
        self.claims: dict[str, Any] = {}
        self.asked_for: dict[str, str] = {}
        self.posted: dict[str, str] = {}
        self.pages["/.well-known/openid-configuration"] = json.dumps(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        ).encode()
        self.pages["/jwks"] = json.dumps(KeySet([self.key]).as_dict(private=False)).encode()

    def authorize(self, url: str) -> dict[str, str]:
        """The person agrees; what the browser brings back."""
        self.asked_for = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        return {"code": "c", "state": self.asked_for["state"]}

    def token(self) -> bytes:
        now = int(time.time())
        claims = {"iss": self.url, "aud": "bedside", "sub": "u1", "iat": now, "exp": now + 60}
        claims |= {"nonce": self.asked_for["nonce"], **self.claims}
        header = {"alg": "RS256", "kid": self.key.kid}
        signed = jwt.encode(header, claims, self.signs_with)
        return json.dumps({"access_token": "a", "token_type": "Bearer", "id_token": signed}).encode()


class _Handler(Silent):
    server: Provider

    def do_GET(self) -> None:
        self._answer(self.server.pages.get(self.path))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.posted = {name: values[0] for name, values in parse_qs(body).items()}
        self._answer(self.server.token())

    def _answer(self, content: bytes | None) -> None:
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")
