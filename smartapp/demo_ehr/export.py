"""One Bulk Data export of the hospital: what was asked, the thread that writes it, and the files until they expire."""

from __future__ import annotations

import atexit
import json
import logging
import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from smartapp.demo_ehr.compartment import SHARED, patients_of
from smartapp.demo_ehr.grants import Grant
from smartapp.demo_ehr.outcomes import FhirError, Resource
from smartapp.demo_ehr.population import POPULATION, lines_of
from smartapp.demo_ehr.search import Criteria, matches
from smartapp.demo_ehr.store import chart_store

logger = logging.getLogger(__name__)

KEPT = timedelta(hours=1)
LINES_A_FILE = 20_000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """`patients`: only they; None: everybody. `filters`: of each type, the searches of which one must match."""

    level: str
    kinds: tuple[str, ...]
    filters: dict[str, list[Criteria]] = field(default_factory=dict)
    since: datetime | None = None
    group: str = ""
    patients: frozenset[str] | None = None
    ignored: tuple[str, ...] = ()

    def takes(self, resource: Resource) -> bool:
        wanted = self.filters.get(resource["resourceType"])
        return self._is_new(resource) and (not wanted or any(matches(resource, criteria) for criteria in wanted))

    @property
    def takes_all(self) -> bool:
        return not self.filters and self.since is None and self.patients is None

    def _is_new(self, resource: Resource) -> bool:
        """What lies in a folder without a date was there from the beginning."""
        updated = resource.get("meta", {}).get("lastUpdated")
        return self.since is None or (updated is not None and datetime.fromisoformat(updated) > self.since)


class Job:
    """Runs in a thread of its own; `done` is set when its manifest stands, or `failure` why there is none."""

    def __init__(self, asked: Asked, *, grant: Grant, request: str) -> None:
        self.id, self.asked, self.grant, self.request = secrets.token_urlsafe(24), asked, grant, request
        self.begun = datetime.now(UTC)
        self.folder = Path(tempfile.mkdtemp(prefix="demo-ehr-export-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.files: dict[str, list[dict[str, Any]]] = {"output": [], "deleted": [], "error": []}
        self.problems: list[Resource] = []
        self.progress, self.failure = "waiting", ""
        self.done, self.stopped = threading.Event(), threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def expires(self) -> datetime:
        return self.begun + KEPT

    def drop(self) -> None:
        """Stop the thread and delete the files."""
        self.stopped.set()
        self.done.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self) -> None:
        try:
            for kind in self.asked.kinds:
                self._write("output", kind, self._lines(kind))
            self._write("deleted", "Bundle", map(json.dumps, self._deletions()))
            self._write(
                "error", "OperationOutcome", map(json.dumps, [*self.problems, *map(_left_out, self.asked.ignored)])
            )
        except (OSError, FhirError) as error:
            logger.exception("an export of the demo EHR failed")
            self.failure = type(error).__name__
        finally:
            self.done.set()

    def _write(self, part: str, kind: str, lines: Iterable[str]) -> None:
        stream: TextIO | None = None
        for number, line in enumerate(lines):
            if self.stopped.is_set():
                break
            if number % LINES_A_FILE == 0:
                stream = self._next_file(part, kind, after=stream)
                self.progress = f"{kind}: {number} so far"
            self.files[part][-1]["count"] += 1
            print(line, file=stream)
        if stream:
            stream.close()

    def _next_file(self, part: str, kind: str, *, after: TextIO | None) -> TextIO:
        if after:
            after.close()
        name = f"{part}-{kind}-{len(self.files[part]) + 1}.ndjson"
        self.files[part].append({"type": kind, "name": name, "count": 0})
        return (self.folder / name).open("w", encoding="utf-8", newline="\n")

    def _lines(self, kind: str) -> Iterator[str]:
        if self.asked.group != POPULATION:
            yield from (json.dumps(resource) for resource in self._charted(kind))
        if self.asked.group in {"", POPULATION}:
            yield from self._synthesized(kind)

    def _charted(self, kind: str) -> Iterator[Resource]:
        store = chart_store()
        for resource in store.all(kind):
            whose = patients_of(resource, store=store)
            theirs = kind in SHARED or self.asked.patients is None or bool(whose & self.asked.patients)
            if theirs and self.grant.shows(resource, "r", store=store) and self.asked.takes(resource):
                yield resource

    def _synthesized(self, kind: str) -> Iterator[str]:
        for number, line in enumerate(lines_of(kind), start=1):
            if self.asked.takes_all:
                yield line
                continue
            try:
                resource = json.loads(line)
            except ValueError:
                self.problems.append(outcome("error", f"line {number} of {kind} is not JSON"))
                continue
            whose = patients_of(resource, store=chart_store())
            if (self.asked.patients is None or whose & self.asked.patients) and self.asked.takes(resource):
                yield line

    def _deletions(self) -> Iterator[Resource]:
        """Bulk Data, "Response - Complete Status", `deleted`: transaction Bundles of DELETE requests."""
        gone = chart_store().deleted_since(self.asked.since) if self.asked.since else []
        for kind, resource_id in gone:
            if kind in self.asked.kinds:
                entry = {"request": {"method": "DELETE", "url": f"{kind}/{resource_id}"}}
                yield {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}


def outcome(severity: str, text: str) -> Resource:
    issue = {"severity": severity, "code": "not-supported", "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _left_out(name: str) -> Resource:
    return outcome("information", f"the parameter {name} was ignored, as was preferred (handling=lenient)")


class Jobs:
    """All that were begun and neither dropped nor expired, by id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def begin(self, asked: Asked, *, grant: Grant, request: str) -> Job:
        """429 while another one of the same client is being written (Bulk Data, "Kick-off Request")."""
        self._expire()
        with self._lock:
            if any(not job.done.is_set() and job.grant.author == grant.author for job in self._jobs.values()):
                raise FhirError(429, "throttled", "another export of yours is under way")
            job = Job(asked, grant=grant, request=request)
            self._jobs[job.id] = job
        return job

    def find(self, job_id: str, *, author: str | None = None) -> Job:
        """404 for what is over, and for another client's."""
        self._expire()
        job = self._jobs.get(job_id)
        if job is None or (author is not None and job.grant.author != author):
            raise FhirError(404, "not-found", "no such export: it was deleted, or it expired")
        return job

    def drop(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        job.drop()

    def _expire(self) -> None:
        for job in [job for job in self._jobs.values() if job.expires < datetime.now(UTC)]:
            self.drop(job)


jobs = Jobs()
