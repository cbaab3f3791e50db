"""A caller as it kicks a batch off, looks at it, and fetches what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cds import doorbell, tasks
from cds.models import PopulationRun
from smartapp.backend.formats import NDJSON
from smartapp.backend.scopes import SCORE_BATCH
from smartapp.demo_ehr.cast import read_cast
from tests.conftest import WORKER_SECONDS
from tests.smartapp.backend.outside import Outside

KICK_OFF = "/api/fhir/$score-batch"
LATER = {"Prefer": "respond-async"}


def ndjson(resources: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in resources)


THE_CAST = ndjson(read_cast())


@dataclass
class Asking:
    outside: Outside

    def kick_off(self, content: Any = THE_CAST, *, query: str = "", kind: str = NDJSON, **headers: str) -> Any:
        given = {**LATER, **self.outside.signed(SCORE_BATCH), **headers}
        return self.outside.web.post(f"{KICK_OFF}{query}", content, content_type=kind, headers=given)

    def begun(self, content: Any = THE_CAST, **more: Any) -> str:
        """The path of a batch that was taken."""
        answer = self.kick_off(content, **more)
        assert answer.status_code == 202, answer.content
        address = urlsplit(answer["Content-Location"])
        assert f"{address.scheme}://{address.netloc}" == "http://localhost"
        return str(address.path)

    def done(self, content: Any = THE_CAST, **more: Any) -> str:
        path = self.begun(content, **more)
        work()
        return path

    def when_done(self, path: str) -> dict[str, Any]:
        """Looks as often as it may, as long as the worker takes."""
        until = time.monotonic() + WORKER_SECONDS
        while (answer := self.get(path)).status_code in {202, 429}:
            assert time.monotonic() < until, "nobody finished the batch"
            with doorbell.listening(path) as bell:
                bell.wait(0.2)
        assert answer.status_code == 200, answer.content
        return dict(answer.json())

    def get(self, path: str, scope: str = SCORE_BATCH, **headers: str) -> Any:
        return self.outside.web.get(path, headers={**self.outside.signed(scope), **headers})

    def delete(self, path: str) -> Any:
        return self.outside.web.delete(path, headers=self.outside.signed(SCORE_BATCH))

    def manifest(self, path: str) -> dict[str, Any]:
        answer = self.get(path)
        assert answer.status_code == 200, answer.content
        return dict(answer.json())

    def fetched(self, path: str) -> dict[str, list[dict[str, Any]]]:
        """By type, the lines of the files that the manifest names; each as many as it says."""
        manifest = self.manifest(path)
        found = {}
        for file in (*manifest["output"], *manifest["error"]):
            answer = self.get(urlsplit(file["url"]).path)
            assert (answer.status_code, answer["Content-Type"]) == (200, NDJSON)
            found[file["type"]] = [json.loads(line) for line in answer.getvalue().splitlines()]
            assert len(found[file["type"]]) == file["count"]
        return found


def work() -> None:
    """What a worker does with the messages that were sent: every run that waits."""
    for run in PopulationRun.objects.exclude(state__in=["done", "cancelled", "failed"]):
        tasks.sweep(str(run.pk))
