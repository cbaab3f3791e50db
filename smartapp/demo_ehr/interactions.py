"""The FHIR interactions on one type, apart from HTTP: the web, Bundles and the prefetch all come through here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from smartapp.demo_ehr import addresses, looks
from smartapp.demo_ehr.compartment import require_belonging
from smartapp.demo_ehr.courier import courier
from smartapp.demo_ehr.grants import Grant
from smartapp.demo_ehr.outcomes import FhirError, Resource
from smartapp.demo_ehr.search import Criteria, select
from smartapp.demo_ehr.store import chart_store
from smartapp.demo_ehr.subscriptions import asked_by
from smartapp.demo_ehr.validation import require_known, require_references, require_valid

PAGE = 50
LARGEST_PAGE = 200


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an interaction says back."""

    status: int = 200
    body: Resource | None = None
    location: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


def with_version(resource: Resource, *, status: int = 200) -> Answer:
    meta = resource["meta"]
    place = f"{addresses.fhir_base()}/{resource['resourceType']}/{resource['id']}/_history/{meta['versionId']}"
    return Answer(
        status=status,
        body=resource,
        location=place if status == 201 else None,
        headers={"ETag": f'W/"{meta["versionId"]}"'},
    )


def read(grant: Grant, kind: str, resource_id: str, *, version: str | None = None) -> Answer:
    require_known(kind)
    grant.require(kind, "r")
    store = chart_store()
    resource = store.read_version(kind, resource_id, version) if version else store.read(kind, resource_id)
    require_belonging(resource, grant.patient, store=store)
    if not grant.shows(resource, "r", store=store):
        raise FhirError(403, "forbidden", "the granular scope does not cover this resource")
    return with_version(resource)


def search(grant: Grant, kind: str, criteria: Criteria) -> Answer:
    """One page of a searchset; `next` leads on."""
    require_known(kind)
    grant.require(kind, "s")
    refuse_other_patients(grant, criteria)
    looks.note(grant, criteria)
    found = visible(grant, kind, criteria)
    given = dict(criteria)
    count, offset = whole_number(given.get("_count", PAGE)), whole_number(given.get("_offset", 0))
    count = min(count, LARGEST_PAGE)
    links = [{"relation": "self", "url": page_url(kind, criteria, offset=offset)}]
    if count and offset + count < len(found):
        links.append({"relation": "next", "url": page_url(kind, criteria, offset=offset + count)})
    return Answer(body=searchset(found[offset : offset + count], total=len(found), links=links))


def visible(grant: Grant, kind: str, criteria: Criteria) -> list[Resource]:
    store = chart_store()
    shown = [resource for resource in store.all(kind) if grant.shows(resource, "s", store=store)]
    return select(shown, kind=kind, criteria=criteria)


def refuse_other_patients(grant: Grant, criteria: Criteria) -> None:
    """403, since an empty answer would read as "this patient has none"."""
    asked = {
        one.split("/")[-1] for name, value in criteria if name in {"patient", "subject"} for one in value.split(",")
    }
    if grant.patient is not None and asked - {grant.patient}:
        raise FhirError(403, "forbidden", "the token is limited to another patient")


def whole_number(text: str | int) -> int:
    if not str(text).isdecimal():
        raise FhirError(400, "invalid", "_count must be a whole number")
    return int(text)


def page_url(kind: str, criteria: Criteria, *, offset: int) -> str:
    kept = [(name, value) for name, value in criteria if name != "_offset"]
    query = urlencode([*kept, ("_offset", str(offset))] if offset else kept)
    return f"{addresses.fhir_base()}/{kind}{'?' if query else ''}{query}"


def searchset(resources: Sequence[Resource], *, total: int, links: list[dict[str, str]]) -> Resource:
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "total": total, "link": links}
    if resources:
        bundle["entry"] = [
            {
                "fullUrl": f"{addresses.fhir_base()}/{resource['resourceType']}/{resource['id']}",
                "resource": resource,
                "search": {"mode": "match"},
            }
            for resource in resources
        ]
    return bundle


def create(grant: Grant, resource: Resource, *, if_none_exist: str | None = None) -> Answer:
    """201 with the new resource, or 200 with the one that met `if_none_exist` already."""
    with chart_store().all_or_nothing():
        answer = enter(grant, resource, if_none_exist=if_none_exist)
        require_in_place(grant, answer)
    return answer


def enter(grant: Grant, resource: Resource, *, if_none_exist: str | None = None, new_id: str | None = None) -> Answer:
    """The first half of a create; `require_in_place` is the second, once all parts of a transaction are there."""
    kind = resource["resourceType"]
    require_known(kind)
    grant.require(kind, "c")
    require_valid(resource)
    subscribed(resource)
    existing = one_existing(kind, if_none_exist) if if_none_exist else None
    if existing:
        return with_version(existing)
    return with_version(chart_store().create(resource, author=grant.author, resource_id=new_id), status=201)


def subscribed(resource: Resource) -> None:
    """What is asked for is offered here, and there is somebody who delivers it. Its status is the server's to set."""
    if resource["resourceType"] == "Subscription":
        if resource["status"] not in {"requested", "off"}:
            raise FhirError(422, "invalid", "a client may set the status to requested or off")
        asked_by(resource)
        courier().start()


def one_existing(kind: str, query: str) -> Resource | None:
    """The one resource that a conditional create asks about; 412 when there are several (R4 http, 3.1.0.8.1)."""
    criteria = parse_qsl(query)
    if not criteria:
        raise FhirError(400, "invalid", "If-None-Exist holds no search criteria")
    found = select(chart_store().all(kind), kind=kind, criteria=criteria)
    if len(found) > 1:
        raise FhirError(412, "multiple-matches", f"{len(found)} resources meet If-None-Exist")
    return found[0] if found else None


def update(grant: Grant, resource: Resource, *, if_match: str | None = None) -> Answer:
    with chart_store().all_or_nothing():
        answer = replace(grant, resource, if_match=if_match)
        require_in_place(grant, answer)
    return answer


def replace(grant: Grant, resource: Resource, *, if_match: str | None = None) -> Answer:
    """The first half of an update; an id that this server did not give is 405 (R4 http, 3.1.0.4)."""
    kind, resource_id = resource["resourceType"], str(resource.get("id", ""))
    require_known(kind)
    grant.require(kind, "u")
    require_valid(resource)
    subscribed(resource)
    store = chart_store()
    if not store.has(kind, resource_id):
        raise FhirError(405, "not-supported", "ids are given by the server")
    require_belonging(store.read(kind, resource_id), grant.patient, store=store)
    return with_version(store.update(resource, author=grant.author, if_match=if_match))


def delete(grant: Grant, kind: str, resource_id: str) -> Answer:
    require_known(kind)
    grant.require(kind, "d")
    require_belonging(chart_store().read(kind, resource_id), grant.patient, store=chart_store())
    chart_store().delete(kind, resource_id)
    return Answer(status=204)


def require_in_place(grant: Grant, answer: Answer) -> None:
    """What was written, or found instead, lies in the patient's chart and refers to what exists."""
    if answer.body is None:
        return
    store = chart_store()
    require_references(answer.body, store=store)
    require_belonging(answer.body, grant.patient, store=store)
    if answer.status == 201 and not grant.shows(answer.body, "c", store=store):
        raise FhirError(403, "forbidden", "the granular scope does not cover this resource")
