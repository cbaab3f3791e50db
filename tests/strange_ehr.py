"""An EHR of the tests' own, over HTTP: a small FHIR server that keeps what it is sent, and misbehaves as a test says."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.serving import Silent

Resource = dict[str, Any]
Answer = tuple[int, dict[str, str], Any]
ALL = ("create", "read", "update", "search-type")


@dataclass(kw_only=True)
class Fault:
    """What happens to requests that match, `times` times: this answer, though with `done` the work is done; 0: the usual one."""

    method: str = "POST"
    path: str = ".*"
    status: int = 500
    body: bytes = b'{"resourceType": "OperationOutcome", "issue": []}'
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1_000_000
    done: bool = False
    silent: bool = False  # no answer at all, until the server is closed
    cut: bool = False  # half of what was promised
    first: Callable[[], None] = lambda: None  # what happens at the EHR just before

    def strikes(self, method: str, path: str) -> bool:
        if method != self.method or not re.fullmatch(self.path, path) or not self.times:
            return False
        self.times -= 1
        return True


class StrangeEhr(ThreadingHTTPServer):
    """`chart` holds every version by `Type/id`; `asked` what it was asked; `statement` what it says that it can."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.chart: dict[str, list[Resource]] = {}
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.atomic = True
        self.conditional = True
        self.searched_by: tuple[str, ...] = ()  # announced, and all others answered with 400; none: takes everything
        self.can: dict[str, tuple[str, ...]] = dict.fromkeys(
            (
                "Patient",
                "RiskAssessment",
                "Observation",
                "Device",
                "Provenance",
                "DocumentReference",
                "DiagnosticReport",
            ),
            ALL,
        )
        self.closing, self.lock = threading.Event(), threading.RLock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/fhir"

    def shutdown(self) -> None:
        self.closing.set()
        super().shutdown()

    # --- For the tests -------------------------------------------------------------------------------------------
    def put(self, resource: Resource) -> Resource:
        """A new version; ids are given in the order of creation."""
        kind = resource["resourceType"]
        place = f"{kind}/{resource.get('id') or len(self.chart) + 1}"
        versions = self.chart.setdefault(place, [])
        meta = {**resource.get("meta", {}), "versionId": str(len(versions) + 1)}
        versions.append({**resource, "id": place.partition("/")[2], "meta": meta})
        return versions[-1]

    def delete(self, place: str) -> None:
        self.chart[place].append({})

    def now(self, kind: str) -> list[Resource]:
        """The current version of each, without those that were deleted."""
        return [versions[-1] for place, versions in self.chart.items() if place.startswith(f"{kind}/") and versions[-1]]

    def ours(self, kind: str) -> list[Resource]:
        """What Bedside wrote of it."""
        return [one for one in self.now(kind) if kind == "Provenance" or "bedside.dev" in str(one.get("identifier"))]

    def written(self) -> dict[str, int]:
        """How many of each type Bedside wrote."""
        return {kind: len(found) for kind in sorted(self.can) if (found := self.ours(kind))}

    def posted(self) -> list[str]:
        """The types that were sent to be created, in order; "" is a transaction or a batch."""
        return [line.removeprefix("POST ") for line in self.asked if line.startswith("POST ")]

    # --- FHIR ----------------------------------------------------------------------------------------------------
    def answer(self, method: str, path: str, query: str, headers: Any, body: Any) -> Answer:
        kind, _, rest = path.partition("/")
        with self.lock:
            if path == "metadata":
                return 200, {}, self.statement()
            if method == "POST" and not path:
                return self.transaction(body)
            if kind not in self.can:
                return _refusal(404)
            if method == "POST":
                return self.create(body, headers.get("If-None-Exist", ""))
            if rest:
                return self.instance(method, path, headers, body)
            if self.searched_by and {name for name, _ in parse_qsl(query)} - {*self.searched_by, "_count"}:
                return _refusal(400)
            found = self.search(kind, query)
            return (
                200,
                {},
                {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in found]},
            )

    def statement(self) -> Resource:
        entries = [
            {
                "type": kind,
                "interaction": [{"code": one} for one in codes],
                "conditionalCreate": self.conditional,
                "searchParam": [{"name": name} for name in self.searched_by],
            }
            for kind, codes in self.can.items()
        ]
        whole = [{"code": "transaction"}] if self.atomic else []
        rest = {"mode": "server", "resource": entries, "interaction": whole}
        return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [rest]}

    def search(self, kind: str, query: str) -> list[Resource]:
        found = self.now(kind)
        for name, value in parse_qsl(query):
            if name == "identifier":
                found = [
                    one for one in found if value in [f"{n['system']}|{n['value']}" for n in one.get("identifier", [])]
                ]
            elif name == "target":
                found = [one for one in found if value in [target["reference"] for target in one["target"]]]
        return found

    def create(self, body: Resource, condition: str) -> Answer:
        there = self.search(body["resourceType"], condition) if condition and self.conditional else []
        if len(there) > 1:
            return _refusal(412)
        made = there[0] if there else self.put({name: value for name, value in body.items() if name != "id"})
        headers = {"Location": f"{self.url}/{made['resourceType']}/{made['id']}/_history/{made['meta']['versionId']}"}
        return (200 if there else 201), headers, made

    def instance(self, method: str, path: str, headers: Any, body: Any) -> Answer:
        versions = self.chart.get(path)
        if not versions:
            return _refusal(404)
        if not versions[-1]:
            return _refusal(410)
        etag = f'W/"{versions[-1]["meta"]["versionId"]}"'
        if method in {"PUT", "DELETE"} and headers.get("If-Match") not in {None, etag}:
            return _refusal(412)
        if method == "PUT":
            return 200, {}, self.put(body)
        if method == "DELETE":
            if "delete" not in self.can[path.partition("/")[0]]:
                return _refusal(405)
            self.delete(path)
            return 204, {}, None
        return 200, {"ETag": etag}, versions[-1]

    def transaction(self, bundle: Resource) -> Answer:
        if bundle["type"] != "transaction" or not self.atomic:
            return _refusal(400 if bundle["type"] != "transaction" else 404)
        before, answers = {place: [*versions] for place, versions in self.chart.items()}, {}
        waiting = list(bundle["entry"])
        while waiting:  # those first whose references are known by now
            entry = next(
                one for one in waiting if not any(o["fullUrl"] in json.dumps(one["resource"]) for o in waiting)
            )
            waiting.remove(entry)
            kind = entry["request"]["url"]
            if "create" not in self.can.get(kind, ()):
                self.chart = before
                return _refusal(422)
            status, headers, made = self.create(entry["resource"], entry["request"].get("ifNoneExist", ""))
            if status >= 400:
                self.chart = before
                return _refusal(status)
            answers[entry["fullUrl"]] = {"status": str(status), "location": headers["Location"]}
            place = f"{kind}/{made['id']}"
            waiting = json.loads(json.dumps(waiting).replace(entry["fullUrl"], place))
        given = [{"response": answers[entry["fullUrl"]]} for entry in bundle["entry"]]
        return 200, {}, {"resourceType": "Bundle", "type": "transaction-response", "entry": given}


def _refusal(status: int) -> Answer:
    codes = {403: "forbidden", 404: "not-supported", 410: "deleted", 412: "conflict", 422: "processing"}
    issue = {"severity": "error", "code": codes.get(status, "invalid"), "diagnostics": "Lindqvist, Ada is not welcome"}
    return status, {}, {"resourceType": "OperationOutcome", "issue": [issue]}


class _Handler(Silent):
    server: StrangeEhr
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.handle_fhir("GET")

    def do_POST(self) -> None:
        self.handle_fhir("POST")

    def do_PUT(self) -> None:
        self.handle_fhir("PUT")

    def do_DELETE(self) -> None:
        self.handle_fhir("DELETE")

    def handle_fhir(self, method: str) -> None:
        server, parts = self.server, urlsplit(self.path)
        path = parts.path.removeprefix("/fhir").strip("/")
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(sent) if sent else None
        server.asked.append(f"{method} {path}")
        fault = next((one for one in server.faults if one.strikes(method, path)), None)
        if fault:
            fault.first()
        if fault is None or fault.done or fault.status == 0:
            answer = server.answer(method, path, parts.query, self.headers, body)
        if fault is None or fault.status == 0:
            self.reply(answer[0], answer[1], json.dumps(answer[2]).encode() if answer[0] != 204 else b"")
        elif fault.silent:
            server.closing.wait()
        else:
            self.reply(fault.status, fault.headers, fault.body, cut=fault.cut)

    def reply(self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/fhir+json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = cut
