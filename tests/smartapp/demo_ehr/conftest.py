"""The hospital as it is in the morning, and a stand-in for the app that it calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from django.test import Client
from joserfc.jwk import ECKey, KeySet
from pytest_django import Settings

from smartapp.demo_ehr import hooks
from smartapp.demo_ehr.store import chart_store
from tests.serving import Silent, serving


@pytest.fixture(autouse=True)
def morning() -> None:
    chart_store().reset()


class Fhir:
    """Speaks FHIR to the hospital with one access token."""

    def __init__(self, token: str) -> None:
        self.client = Client()
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **query: str | list[str]) -> Any:
        return self.client.get(f"/demo-ehr/fhir/{path}", query, headers=self.headers)

    def send(self, method: str, path: str, body: Any, **headers: str) -> Any:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(
            method,
            f"/demo-ehr/fhir/{path}",
            json.dumps(body),
            content_type="application/fhir+json",
            headers={**self.headers, **given},
        )

    def post(self, path: str, body: Any, **headers: str) -> Any:
        return self.send("POST", path, body, **headers)


@pytest.fixture
def clinician() -> Fhir:
    """May do everything, with everybody's chart."""
    return Fhir(hooks.bearer(None, "user/*.cruds"))


@pytest.fixture
def for_ada() -> Fhir:
    """Limited to Ada's chart."""
    return Fhir(hooks.bearer("ada", "patient/*.cruds"))


class App(ThreadingHTTPServer):
    """Plays the app: offers one service, answers what the test says, remembers what it was told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.key = ECKey.generate_key("P-384", {"use": "sig", "alg": "ES384"}, auto_kid=True)
        self.status = 200
        self.hooks = ["patient-view"]
        self.card: dict[str, Any] = {"summary": "Consider testing.", "indicator": "info", "source": {"label": "App"}}
        self.prefetch = {"patient": "Patient/{{context.patientId}}"}
        self.silent = False
        self.told: list[tuple[str, dict[str, Any], str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def cards(self) -> list[dict[str, Any]]:
        return [] if self.silent else [self.card]

    def answer_to(self, path: str) -> tuple[int, Any]:
        if path == "/jwks.json":
            return 200, KeySet([self.key]).as_dict(private=False)
        if path == "/cds-services":
            service = {"id": "risk", "description": "a test", "prefetch": self.prefetch}
            return 200, {"services": [{**service, "hook": hook} for hook in self.hooks]}
        return self.status, {"cards": self.cards} if path == "/cds-services/risk" else {}


class Handler(Silent):
    server: App

    def do_GET(self) -> None:
        self.reply()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.append((self.path, body, self.headers["Authorization"].removeprefix("Bearer ")))
        self.reply()

    def reply(self) -> None:
        status, answer = self.server.answer_to(self.path)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def app(settings: Settings) -> Iterator[App]:
    with serving(App()) as server:
        settings.BASE_URL = server.url
        yield server
