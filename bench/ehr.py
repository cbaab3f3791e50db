"""The EHR that calls: its key, the JWKS that it serves, and signed tokens made before they are needed."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, RSAKey

_LIFE_SECONDS = 3500  # longer than the run; the product accepts up to an hour


@dataclass(frozen=True, kw_only=True)
class CallingEhr:
    """One registered issuer, with a key for each algorithm that CDS Hooks recommends."""

    url: str
    keys: Mapping[str, Key]

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/jwks"

    def tokens(self, number: int, *, audience: str, algorithm: str = "ES384") -> list[str]:
        """Each is good once."""
        now, key = int(time.time()), self.keys[algorithm]
        header = {"alg": algorithm, "kid": str(key.kid), "typ": "JWT", "jku": self.jwks_url}
        claims = {"iss": self.url, "aud": audience, "iat": now, "exp": now + _LIFE_SECONDS}
        return [
            jwt.encode(header, {**claims, "jti": secrets.token_urlsafe(16)}, key, algorithms=[algorithm])
            for _ in range(number)
        ]

    def register(self) -> None:
        """As an administrator would, with every service live."""
        from cds.models import Ehr, EnabledService
        from cds.registry import all_services

        ehr = Ehr.objects.create(
            name="Bench",
            fhir_base=f"{self.url}/fhir",
            client_id="bedside",
            hook_issuer=self.url,
            hook_jwks_url=self.jwks_url,
            private_network=True,
        )
        for service in all_services():
            # The same card again and again is what is measured here, so it must not be held back.
            EnabledService.objects.create(
                ehr=ehr, service_id=service.id, stage=EnabledService.Stage.LIVE, cool_down_hours=0
            )


@contextmanager
def calling_ehr() -> Iterator[CallingEhr]:
    """Serves its public keys over loopback HTTP while the block runs."""
    keys: dict[str, Key] = {
        "ES384": ECKey.generate_key("P-384", {"use": "sig", "alg": "ES384"}, auto_kid=True),
        "RS384": RSAKey.generate_key(2048, {"use": "sig", "alg": "RS384"}, auto_kid=True),
    }
    published = json.dumps(KeySet([*keys.values()]).as_dict(private=False)).encode()

    class Jwks(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(published)))
            self.end_headers()
            self.wfile.write(published)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Jwks) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield CallingEhr(url=f"http://127.0.0.1:{server.server_port}", keys=keys)
        server.shutdown()
