"""Batch and transaction: many interactions in one request (R4 http, 3.1.0.11)."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from smartapp.demo_ehr import addresses, interactions
from smartapp.demo_ehr.grants import Grant
from smartapp.demo_ehr.interactions import Answer
from smartapp.demo_ehr.outcomes import FhirError, Resource
from smartapp.demo_ehr.store import chart_store
from smartapp.demo_ehr.validation import require_known

Entry = dict[str, Any]
WRITES = frozenset({"POST", "PUT"})
ORDER = ("DELETE", "POST", "PUT", "GET")  # in which a transaction is carried out, whatever the order of its entries


def carry_out(grant: Grant, bundle: Resource) -> Answer:
    """The answer to a batch or a transaction posted to the base."""
    kind, entries = bundle.get("type"), bundle.get("entry", [])
    if kind not in {"batch", "transaction"}:
        raise FhirError(400, "invalid", "only a batch or a transaction can be posted here")
    if not all(is_entry(entry) for entry in entries):
        raise FhirError(400, "structure", "every entry needs request.method and request.url")
    answers = batch(grant, entries) if kind == "batch" else transaction(grant, entries)
    return Answer(
        body={"resourceType": "Bundle", "type": f"{kind}-response", "entry": [as_entry(answer) for answer in answers]}
    )


def is_entry(entry: Any) -> bool:
    request = entry.get("request") if isinstance(entry, dict) else None
    return isinstance(request, dict) and request.get("method") in ORDER and isinstance(request.get("url"), str)


def batch(grant: Grant, entries: list[Entry]) -> list[Answer]:
    """Each entry for itself: what fails says so in its place."""
    return [alone(grant, entry) for entry in entries]


def alone(grant: Grant, entry: Entry) -> Answer:
    try:
        with chart_store().all_or_nothing():
            answer = perform(grant, entry)
            if entry["request"]["method"] in WRITES:
                interactions.require_in_place(grant, answer)
    except FhirError as error:
        return Answer(status=error.status, body=error.outcome())
    return answer


def transaction(grant: Grant, entries: list[Entry]) -> list[Answer]:
    """All entries or none; `urn:uuid:` references become the ids that the server gives."""
    with chart_store().all_or_nothing():
        places = {index: place_of(entry) for index, entry in enumerate(entries) if is_post(entry)}
        known = {str(entries[index].get("fullUrl")): place for index, place in places.items()}
        answers: dict[int, Answer] = {}
        for index in sorted(range(len(entries)), key=lambda one: ORDER.index(entries[one]["request"]["method"])):
            new_id = places[index].split("/")[1] if index in places else None
            answers[index] = perform(grant, resolved(entries[index], known), new_id=new_id)
        for index, entry in enumerate(entries):
            if entry["request"]["method"] in WRITES:
                interactions.require_in_place(grant, answers[index])
    return [answers[index] for index in range(len(entries))]


def is_post(entry: Entry) -> bool:
    return bool(entry["request"]["method"] == "POST")


def place_of(entry: Entry) -> str:
    """`Type/id` where a POST entry will stand: a new id, or that of the one which meets `ifNoneExist`."""
    kind, query = entry["request"]["url"], entry["request"].get("ifNoneExist")
    require_known(kind)
    existing = interactions.one_existing(kind, query) if query else None
    return f"{kind}/{existing['id'] if existing else uuid.uuid4().hex}"


def resolved(value: Any, places: dict[str, str]) -> Any:
    """A copy in which every reference to a `fullUrl` of the Bundle points to its place."""
    if isinstance(value, dict):
        return {
            name: places.get(inner, inner)
            if name == "reference" and isinstance(inner, str)
            else resolved(inner, places)
            for name, inner in value.items()
        }
    return [resolved(inner, places) for inner in value] if isinstance(value, list) else value


def perform(grant: Grant, entry: Entry, *, new_id: str | None = None) -> Answer:
    """One entry. Writes are checked for their references once the whole Bundle is carried out."""
    request = entry["request"]
    path, _, query = request["url"].removeprefix(f"{addresses.fhir_base()}/").lstrip("/").partition("?")
    kind, _, rest = path.partition("/")
    match request["method"]:
        case "GET" if rest:
            return interactions.read(grant, kind, rest)
        case "GET":
            return interactions.search(grant, kind, parse_qsl(query, keep_blank_values=True))
        case "DELETE":
            return interactions.delete(grant, kind, rest)
        case "PUT":
            return interactions.replace(grant, body_of(entry, kind, rest), if_match=version_in(request.get("ifMatch")))
        case _:
            return interactions.enter(
                grant, body_of(entry, kind), if_none_exist=request.get("ifNoneExist"), new_id=new_id
            )


def body_of(entry: Entry, kind: str, resource_id: str | None = None) -> Resource:
    resource = entry.get("resource")
    if not isinstance(resource, dict) or resource.get("resourceType") != kind:
        raise FhirError(400, "structure", "the entry's resource is not of the type in its url")
    if resource_id is not None and resource.get("id") != resource_id:
        raise FhirError(400, "structure", "the entry's resource does not have the id in its url")
    return resource


def version_in(etag: str | None) -> str | None:
    """`W/"3"` is version 3."""
    return etag.removeprefix("W/").strip('"') if etag else None


def as_entry(answer: Answer) -> Entry:
    response: Entry = {"status": f"{answer.status} {HTTPStatus(answer.status).phrase}"}
    if answer.location:
        response["location"] = answer.location
    if "ETag" in answer.headers:
        response |= {"etag": answer.headers["ETag"], "lastModified": (answer.body or {})["meta"]["lastUpdated"]}
    if answer.status >= 400:
        return {"response": response | {"outcome": answer.body}}
    return {"response": response} | ({"resource": answer.body} if answer.body else {})
