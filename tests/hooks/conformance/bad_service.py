"""A CDS service that does everything wrong: whoever asks, whatever is asked, it answers 200 with a faulty card."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import make_server

from tests.serving import Quiet, serving

SERVICES: dict[str, Any] = {
    "services": [
        {"hook": "patient-view", "id": "bad", "title": "", "prefetch": {"patient": "Patient/{{context.patientId}}"}},
    ]
}
CARDS: dict[str, Any] = {
    "cards": [{"summary": "x" * 140, "indicator": "hard-stop", "source": {}, "suggestions": [{"label": "Do it"}]}],
    "systemActions": [],
}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(SERVICES if environ["REQUEST_METHOD"] == "GET" else CARDS).encode()]


@contextmanager
def bad_service() -> Iterator[str]:
    """Its base URL, while it runs."""
    with serving(make_server("127.0.0.1", 0, application, handler_class=Quiet)) as server:
        yield f"http://127.0.0.1:{server.server_port}"
