"""Database down: 503 at once. Queue down: the row waits, the card says pending. In a process of its own, as a server is."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

QUICK_MS = 200
PROJECT = Path(__file__).resolve().parents[2]
WITHOUT_DATABASE = """
import base64, json, time
from config.wsgi import application
from django.test import RequestFactory
def ask(request):
    said, began = [], time.perf_counter()
    body = b"".join(application(request.environ, lambda *start: said.extend(start)))
    milliseconds = (time.perf_counter() - began) * 1000
    policy = dict(said[1])["Content-Security-Policy"]
    print(json.dumps({"status": int(said[0][:3]), "milliseconds": milliseconds, "body": body.decode(), "policy": policy}))
"""
HOOK = """
part = lambda claims: base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
token = ".".join((part({"alg": "ES384", "kid": "1"}), part({"iss": "https://ehr.example"}), "c2lnbmF0dXJl"))
for _ in range(5):
    ask(RequestFactory().post(
        "/cds-services/diabetes-risk", b"{}", content_type="application/json",
        headers={"authorization": f"Bearer {token}"},
    ))
"""
PAGES = """
ask(RequestFactory().get("/launch?iss=https://ehr.example&launch=x"))
for _ in range(3):
    ask(RequestFactory().get("/app/00000000-0000-0000-0000-000000000000/"))
"""
ANSWER_WITHOUT_QUEUE = """
import json, time
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from cds import registry
from cds.context import PatientContext
from cds.facts import Person
from cds.flow import decide, enabled
from cds.models import Ehr
from cds.present import present
ehr = Ehr.objects.create(name="E", fhir_base="https://e.example/fhir", hook_issuer="https://e.example")
service = registry.get("diabetes-risk")
for number in range(3):
    context = PatientContext(patient=Person(id=str(number)), now=ehr.now())
    began = time.perf_counter()
    assessment = decide(service=service, here=enabled(ehr, service), context=context, wait=30)
    milliseconds = (time.perf_counter() - began) * 1000
    (card,) = present(assessment, context)
    print(json.dumps({"status": assessment.status, "milliseconds": milliseconds, "card": card.summary}))
"""


@pytest.fixture
def dead_port() -> int:
    """One at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """One at which somebody listens and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield int(listener.getsockname()[1])


def run(script: str, home: Path, **environment: str) -> list[dict[str, Any]]:
    """What the script printed, one JSON object a line; a queue at a dead port, so that no worker starts beside it."""
    clean = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "DEMO_EHR"}}
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings", "BEDSIDE_HOME": str(home), "BASE_URL": "http://localhost"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env={**clean, **settings, "ALLOWED_HOSTS": "testserver", **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("kind", ["dead_port", "silent_port"])
def test_without_a_database_hooks_and_pages_are_answered_503_within_200_ms(
    kind: str, request: pytest.FixtureRequest, dead_port: int, tmp_path: Path
) -> None:
    port = request.getfixturevalue(kind)
    answers = run(
        WITHOUT_DATABASE + HOOK + PAGES,
        tmp_path,
        DATABASE_URL=f"postgresql://bedside:x@127.0.0.1:{port}/bedside",
        REDIS_URL=f"redis://127.0.0.1:{dead_port}/0",
    )
    hooks, pages = answers[:5], answers[5:]
    assert [answer["status"] for answer in answers] == [503] * (5 + 4)
    assert all(json.loads(answer["body"])["resourceType"] == "OperationOutcome" for answer in hooks)
    assert all("says nothing about the patient" in answer["body"] for answer in pages)
    assert all("frame-ancestors 'none'" in answer["policy"] for answer in pages)  # whose frame it is, nobody can know
    # The first one imports; the quickest tells what the code does, the others what the machine does beside it.
    assert min(answer["milliseconds"] for answer in hooks[1:]) < QUICK_MS
    assert min(answer["milliseconds"] for answer in pages[1:]) < QUICK_MS


def test_without_a_queue_the_row_waits_and_the_card_says_pending_at_once(dead_port: int, tmp_path: Path) -> None:
    answers = run(ANSWER_WITHOUT_QUEUE, tmp_path, REDIS_URL=f"redis://127.0.0.1:{dead_port}/0")
    assert [answer["status"] for answer in answers] == ["queued"] * 3
    assert all(answer["card"].startswith("Still checking") for answer in answers)
    assert min(answer["milliseconds"] for answer in answers[1:]) < QUICK_MS
