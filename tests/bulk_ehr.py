"""An EHR that exports by Bulk Data over HTTP, and misbehaves as a test says; it knows nothing of ours."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.serving import Silent

NDJSON = "application/fhir+ndjson"
TYPES = "Condition Encounter MedicationRequest Observation Patient Procedure ServiceRequest".split()


@dataclass(kw_only=True)
class Said:
    """An answer. `cut`: half of what was promised. `held`: not before the test says so."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    held: threading.Event | None = None

    @classmethod
    def outcome(cls, status: int, code: str, **headers: str) -> Said:
        issue = {"severity": "error", "code": code, "diagnostics": "Lindqvist, Ada is not welcome"}
        body = json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()
        return cls(status=status, body=body, headers={"Content-Type": "application/fhir+json", **headers})


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What came in. `headers` by their names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class BulkEhr(ThreadingHTTPServer):
    """`next` holds, by "GET /path", what is answered first; after that the usual. `files`: by name, what is exported.

    `searched`: by "Type/id", what ordinary reads and searches find, all by patient.
    """

    daemon_threads = True

    def __init__(self, resources: list[dict[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[Asked] = []
        self.next: defaultdict[str, list[Said]] = defaultdict(list)
        self.files: dict[str, bytes] = {}
        self.manifest: dict[str, Any] = {"requiresAccessToken": True, "transactionTime": "2026-01-01T00:00:00Z"}
        self.seconds, self.exports = 300, 0
        self.searched: dict[str, dict[str, Any]] = {}
        self.arrived = threading.Condition()
        for resource in resources:
            name = f"{resource['resourceType']}.ndjson"
            if resource["resourceType"] in TYPES:
                self.files[name] = self.files.get(name, b"") + json.dumps(resource).encode() + b"\n"
        self.manifest |= {"output": [self.item(name) for name in self.files], "error": [], "deleted": []}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    # --- For the tests -------------------------------------------------------------------------------------------
    def item(self, name: str, **changed: Any) -> dict[str, Any]:
        kind = name.partition(".")[0]
        count = self.files[name].count(b"\n")
        return {"type": kind, "url": f"{self.url}/files/{name}", "count": count, **changed}

    def times(self, method: str, path: str) -> int:
        return sum(one.method == method and one.path == path for one in self.asked)

    def last(self, method: str, path: str) -> Asked:
        return [one for one in self.asked if one.method == method and one.path == path][-1]

    def wait_for(self, method: str, path: str, seconds: float = 60.0) -> None:
        """Until it was asked that."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.times(method, path), seconds), f"nobody asked {method} {path}"

    # --- The usual -----------------------------------------------------------------------------------------------
    def usual(self, asked: Asked) -> Said:
        path = asked.path
        if path.endswith("/.well-known/smart-configuration"):
            return _json({"token_endpoint": f"{self.url}/token", "capabilities": ["permission-v2"]})
        if path == "/token":
            scope = dict(parse_qsl(asked.body.decode()))["scope"]
            token = f"token-{self.times('POST', '/token')}"
            return _json({"access_token": token, "token_type": "bearer", "expires_in": self.seconds, "scope": scope})
        if path == "/fhir/metadata":
            return _json({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": []})
        if path.endswith("/$export"):
            self.exports += 1
            return Said(status=202, headers={"Content-Location": f"{self.url}/status/{self.exports}"})
        if path.startswith("/status/"):
            return Said(status=202) if asked.method == "DELETE" else _json(self.manifest)
        name = path.rpartition("/")[2]
        if path.startswith("/files/") and name in self.files:
            return Said(body=self.files[name], headers={"Content-Type": NDJSON})
        if path.startswith("/fhir/") and self.searched:
            return self.found(path.removeprefix("/fhir/"), asked.query)
        return Said.outcome(404, "not-found")

    def found(self, path: str, query: dict[str, str]) -> Said:
        if "/" in path:
            return _json(self.searched[path]) if path in self.searched else Said.outcome(404, "not-found")
        about = f"Patient/{query['patient']}" if "patient" in query else None
        entries = [
            {"resource": one}
            for one in self.searched.values()
            if one["resourceType"] == path
            and about in {None, (one.get("subject") or one.get("patient") or {}).get("reference")}
        ]
        return _json({"resourceType": "Bundle", "type": "searchset", "entry": entries})


def _json(body: Any) -> Said:
    return Said(body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


class _Handler(Silent):
    server: BulkEhr
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_DELETE(self) -> None:
        self.answer()

    def answer(self) -> None:
        server, parts = self.server, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(parts.query))
        asked = Asked(method=self.command, path=parts.path, query=query, headers=headers, body=body)
        with server.arrived:
            server.asked.append(asked)
            server.arrived.notify_all()
        waiting = server.next[str(asked)]
        said = waiting.pop(0) if waiting else server.usual(asked)
        if said.held:
            said.held.wait()
        self.reply(said)

    def reply(self, said: Said) -> None:
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said.body)))
        self.end_headers()
        self.wfile.write(said.body[: len(said.body) // 2] if said.cut else said.body)
        self.close_connection = said.cut
