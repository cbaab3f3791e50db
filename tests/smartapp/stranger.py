"""A hospital that is not the demo's: it says about itself what a test wants it to say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from joserfc.jwk import KeySet, RSAKey

from tests.serving import Silent


@dataclass(frozen=True)
class Posted:
    """What it was sent."""

    path: str
    authorization: str
    form: dict[str, str]


class Hospital(ThreadingHTTPServer):
    """Hands out its keys, and answers everything else as the test says; remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
        self.asked: list[str] = []
        self.content: bytes | None = None
        self.pages: dict[str, tuple[int, Any]] = {}
        self.headers: dict[str, str] = {}
        self.posted: list[Posted] = []
        self.configuration: dict[str, Any] = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "code_challenge_methods_supported": ["S256"],
            "capabilities": ["launch-ehr", "permission-v2"],
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer_to(self, path: str) -> tuple[int, bytes]:
        """`pages` wins, then `content` for everything, then the usual."""
        if path in self.pages:
            status, page = self.pages[path]
            return status, json.dumps(page).encode()
        if self.content is not None:
            return 200, self.content
        keys = KeySet([self.key]).as_dict(private=False)
        return 200, json.dumps(keys if path == "/jwks" else self.configuration).encode()


class _Handler(Silent):
    server: Hospital

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.reply()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.posted.append(Posted(self.path, self.headers.get("Authorization", ""), dict(parse_qsl(body))))
        self.reply()

    def reply(self) -> None:
        status, content = self.server.answer_to(self.path)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **self.server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
