"""A FHIR server of one version over real HTTP: strict about what its version knows, and ours in nothing else.

It holds what is written against that version's models, answers 404 to a type that the version does not have and 400 to
a search parameter that it does not know.
"""

from __future__ import annotations

import json
import threading
import uuid
from http.server import ThreadingHTTPServer
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError

from tests.serving import Silent

Resource = dict[str, Any]

SAID = {"3.0": "3.0.2", "4.0": "4.0.1", "4.3": "4.3.0", "5.0": "5.0.0"}
_MODELS = {"3.0": ".STU3", "4.0": ".R4B", "4.3": ".R4B", "5.0": ""}
_ORDER = {"3.0": "ProcedureRequest"}
_TYPES = "Condition Device DiagnosticReport DocumentReference Encounter MedicationRequest Observation Patient Procedure"
_OPEN = {"metadata", ".well-known/smart-configuration", "token"}  # without a token
_PARAMETERS = {"_count", "_sort", "category", "code", "identifier", "patient", "status", "target"}


class Refused(Exception):
    """An HTTP status and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class FhirServer(ThreadingHTTPServer):
    """`version` as in the media type's parameter; `named`: it says that it has several at this address."""

    daemon_threads = True

    def __init__(self, version: str, *, named: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.version, self.named = version, named
        self.types = {*_TYPES.split(), "Provenance", "RiskAssessment", _ORDER.get(version, "ServiceRequest")}
        self.types |= {"Subscription", "SubscriptionTopic"} if version == "5.0" else {"Subscription"}
        self.chart: dict[str, Resource] = {}
        self.asked: list[str] = []
        self.accepted: list[str] = []
        self.lock = threading.Lock()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/fhir"

    def keep(self, *resources: Resource) -> None:
        for resource in resources:
            self.require_valid(resource)
            self.chart[f"{resource['resourceType']}/{resource['id']}"] = resource

    def all(self, kind: str) -> list[Resource]:
        return [one for one in self.chart.values() if one["resourceType"] == kind]

    def require_valid(self, resource: Resource) -> None:
        self.require_known(resource["resourceType"])
        models = import_module(f"fhir.resources{_MODELS[self.version]}")
        try:
            models.get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        except ValidationError as error:
            raise Refused(422, str(error)) from error

    def require_known(self, kind: str) -> None:
        if kind not in self.types:
            raise Refused(404, f"FHIR {self.version} has no {kind} here")

    # --- Interactions --------------------------------------------------------------------------------------------
    def metadata(self) -> Resource:
        interactions = [{"code": code} for code in ("read", "search-type", "create", "update")]
        resources = [
            {"type": kind, "interaction": interactions, "conditionalCreate": True} for kind in sorted(self.types)
        ]
        rest = {"mode": "server", "interaction": [{"code": "batch"}, {"code": "transaction"}], "resource": resources}
        formats = [f"application/fhir+json; fhirVersion={self.version}"] if self.named else ["application/fhir+json"]
        said = {"fhirVersion": SAID[self.version], "format": formats, "rest": [rest]}
        return {"resourceType": "CapabilityStatement", **said}

    def smart_configuration(self) -> Resource:
        return {"token_endpoint": f"{self.base}/token", "capabilities": ["permission-v2"]}

    def create(self, sent: Resource) -> Resource:
        made = _of_version(1, sent | {"id": str(uuid.uuid4())})
        self.keep(made)
        return made

    def update(self, path: str, sent: Resource, *, if_match: str) -> Resource:
        """Of what has a version, that version alone: STU3 says 409 to another one, later versions 412."""
        with self.lock:
            there = int(self.get(path).get("meta", {}).get("versionId", "0"))
            if there and if_match != f'W/"{there}"':
                raise Refused(409 if self.version == "3.0" else 412, "there is another version")
            self.keep(_of_version(there + 1, sent))
            return self.chart[path]

    def get(self, url: str) -> Resource:
        path, _, query = url.partition("?")
        self.require_known(path.split("/", maxsplit=1)[0])
        if "/" in path:
            if path not in self.chart:
                raise Refused(404, "not here")
            return self.chart[path]
        return bundle("searchset", [{"resource": one} for one in self.search(path, parse_qsl(query))])

    def search(self, kind: str, parameters: list[tuple[str, str]]) -> list[Resource]:
        unknown = {name for name, _ in parameters} - _PARAMETERS
        if unknown:
            raise Refused(400, f"unknown search parameters: {unknown}")
        found = self.all(kind)
        for name, value in parameters:
            if not name.startswith("_"):
                found = [one for one in found if _MATCHES[name](one, value)]
        return found

    def whole(self, sent: Resource) -> Resource:
        """A batch of reads, or a transaction of conditional creates: all of it or nothing."""
        if sent["type"] == "batch":
            return bundle("batch-response", [self._batched(entry["request"]["url"]) for entry in sent["entry"]])
        self.require_valid_bundle(sent)
        with self.lock:
            there = {entry["fullUrl"]: self._there(entry) for entry in sent["entry"]}
            new = {
                url: f"{kind_of(entry)}/{uuid.uuid4()}" for entry in sent["entry"] if not there[url := entry["fullUrl"]]
            }
            places = {url: reference for url, reference in {**there, **new}.items() if reference}
            for entry in sent["entry"]:
                if entry["fullUrl"] in new:
                    key = new[entry["fullUrl"]].rpartition("/")[2]
                    self.keep(_of_version(1, resolved(entry["resource"], places) | {"id": key}))
        return bundle("transaction-response", [_made(places[e["fullUrl"]], e["fullUrl"] in new) for e in sent["entry"]])

    def require_valid_bundle(self, sent: Resource) -> None:
        for entry in sent["entry"]:
            self.require_valid(entry["resource"])

    def _batched(self, url: str) -> Resource:
        try:
            return {"resource": self.get(url), "response": {"status": "200 OK"}}
        except Refused as refused:
            return {"resource": outcome(refused), "response": {"status": str(refused.status)}}

    def _there(self, entry: Resource) -> str:
        query = parse_qsl(entry["request"].get("ifNoneExist", ""))
        found = self.search(kind_of(entry), query) if query else []
        if len(found) > 1:
            raise Refused(412, "several match")
        return f"{kind_of(entry)}/{found[0]['id']}" if found else ""


def _of_version(number: int, resource: Resource) -> Resource:
    return resource | {"meta": {**resource.get("meta", {}), "versionId": str(number)}}


def kind_of(entry: Resource) -> str:
    return str(entry["resource"]["resourceType"])


def bundle(kind: str, entries: list[Resource]) -> Resource:
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def outcome(refused: Refused) -> Resource:
    issue = {"severity": "error", "code": "processing", "diagnostics": str(refused)}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def resolved(value: Any, places: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            name: places.get(inner, inner) if name == "reference" else resolved(inner, places)
            for name, inner in value.items()
        }
    return [resolved(one, places) for one in value] if isinstance(value, list) else value


def _made(reference: str, new: bool) -> Resource:
    location = f"{reference}/_history/1"
    return {"response": {"status": "201 Created" if new else "200 OK", "location": location}}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _about(one: Resource, patient: str) -> bool:
    subject = one.get("subject") or one.get("patient") or {}
    return bool(subject.get("reference") == f"Patient/{patient}")


def _coded(one: Resource, tokens: str) -> bool:
    codings = one.get("code", {}).get("coding", [])
    parts = [part for component in one.get("component", []) for part in component["code"]["coding"]]
    return any(f"{coding['system']}|{coding['code']}" in tokens.split(",") for coding in (*codings, *parts))


def _in_category(one: Resource, code: str) -> bool:
    return any(coding["code"] == code for concept in one.get("category", []) for coding in concept["coding"])


def _identified(one: Resource, token: str) -> bool:
    return any(f"{name['system']}|{name['value']}" == token for name in _listed(one.get("identifier")))


def _targets(one: Resource, reference: str) -> bool:
    return any(target["reference"] == reference for target in one.get("target", []))


_MATCHES = {
    "patient": _about,
    "code": _coded,
    "category": _in_category,
    "identifier": _identified,
    "status": lambda one, code: one["status"] == code,
    "target": _targets,
}


class _Handler(Silent):
    server: FhirServer

    def do_GET(self) -> None:
        pages = {"metadata": self.server.metadata, ".well-known/smart-configuration": self.server.smart_configuration}
        self._answer(pages.get(self._url, lambda: self.server.get(self._url)))

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        if self._url == "token":
            self._answer(lambda: {"access_token": "token", "token_type": "bearer", "expires_in": 300})
        elif self._url:
            self._answer(lambda: self.server.create(json.loads(sent)), status=201)
        else:
            self._answer(lambda: self.server.whole(json.loads(sent)))

    def do_PUT(self) -> None:
        sent, if_match = self.rfile.read(int(self.headers["Content-Length"])), self.headers.get("If-Match", "")
        self._answer(lambda: self.server.update(self._url, json.loads(sent), if_match=if_match))

    @property
    def _url(self) -> str:
        return self.path.removeprefix("/fhir").lstrip("/")

    def _answer(self, ask: Any, *, status: int = 200) -> None:
        self.server.asked.append(f"{self.command} {self._url}")
        self.server.accepted.append(self.headers["Accept"])
        try:
            if self._url not in _OPEN and not self.headers.get("Authorization", "").startswith("Bearer "):
                raise Refused(401, "no token")
            answer = ask()
        except Refused as refused:
            status, answer = refused.status, outcome(refused)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
