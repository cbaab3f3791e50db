"""An EHR that says about itself what a test wants it to say."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core.cache import cache
from joserfc.jwk import KeySet, RSAKey

from cds.models import Ehr


class Hospital(ThreadingHTTPServer):
    """Answers two addresses: its smart-configuration and its keys; counts what it is asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
        self.asked: list[str] = []
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

    def answer_to(self, path: str) -> dict[str, Any]:
        if path == "/jwks":
            return dict(KeySet([self.key]).as_dict(private=False))
        return self.configuration


class _Handler(BaseHTTPRequestHandler):
    server: Hospital

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        content = json.dumps(self.server.answer_to(self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it so
        """Tests are read in silence."""


@pytest.fixture
def stranger() -> Iterator[Hospital]:
    """A hospital on the network that nobody has registered."""
    cache.clear()
    with Hospital() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def other_ehr(stranger: Hospital, db: None) -> Ehr:
    """The same hospital, registered."""
    return Ehr.objects.create(
        name="Other hospital",
        fhir_base=f"{stranger.url}/fhir",
        client_id="bedside",
        hook_issuer=stranger.url,
        hook_jwks_url=f"{stranger.url}/jwks",
        frame_ancestors=stranger.url,
        private_network=True,
    )
