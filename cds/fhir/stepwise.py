"""The entries of a transaction sent one by one, to a server that takes no transaction; and what is there already.

Each entry goes after those that it refers to, with their ids in place of `urn:uuid:`, so that whoever stopped half-way
can go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any

import msgspec
import requests

from cds.errors import FhirUnreachable
from cds.fhir.client import FhirServer
from cds.fhir.decoding import UNREADABLE
from cds.fhir.elements import Resource
from cds.fhir.shapes import Shape


def in_order(bundle: Resource) -> list[Resource]:
    """The entries, each after those that it refers to."""
    entries = {entry["fullUrl"]: entry for entry in bundle["entry"]}
    needed = {url: set(_references(entry["resource"])) for url, entry in entries.items()}
    return [entries[url] for url in TopologicalSorter(needed).static_order() if url in entries]


def resolved(resource: Any, places: Mapping[str, str]) -> Any:
    """A copy whose references lead to where the others stand now; `places`: `Type/id` by fullUrl."""
    if isinstance(resource, dict):
        return {
            name: places.get(inner, inner) if name == "reference" else resolved(inner, places)
            for name, inner in resource.items()
        }
    return [resolved(inner, places) for inner in resource] if isinstance(resource, list) else resource


def create(entry: Resource, resource: Resource, *, client: FhirServer, conditionally: bool) -> str:
    """`Type/id` of what stands there now; `resource` is the entry's with its references resolved."""
    kind, condition = entry["request"]["url"], entry["request"].get("ifNoneExist")
    headers = {"If-None-Exist": condition} if condition and conditionally else {}
    response = client.post_json(kind, resource, **headers)
    made = reference_in(response, kind) or find(entry, resource, client=client)
    if made is None:
        raise FhirUnreachable("the answer does not say what was created", url=response.url)
    return made


def reference_in(response: requests.Response, kind: str) -> str | None:
    """From Location, which R4 asks for, else from the resource that came back."""
    _, _, after = f"/{response.headers.get('Location', '')}".rpartition(f"/{kind}/")
    if made := after.partition("/")[0]:
        return f"{kind}/{made}"
    try:
        body = msgspec.json.decode(response.content, type=_Named)
    except UNREADABLE:
        return None
    return f"{kind}/{body.id}" if body.id and body.resource_type == kind else None


# --- What is there already ---------------------------------------------------------------------------------------
class _Named(Shape):
    resource_type: str = ""
    id: str = ""


class _Match(Shape):
    resource: dict[str, Any] = {}


class _Searchset(Shape):
    entry: list[_Match] = []


def find(entry: Resource, resource: Resource, *, client: FhirServer) -> str | None:
    """`Type/id` of what stands there already: by its identifier, a Provenance, which has none in R4, by what it is about."""
    kind, condition = entry["request"]["url"], entry["request"].get("ifNoneExist")
    search = f"{kind}?{condition or 'target=' + resource['target'][0]['reference']}"
    try:
        matches = msgspec.json.decode(client.get(search), type=_Searchset).entry
    except UNREADABLE as error:
        raise FhirUnreachable("the answer to a search cannot be read") from error
    given = [one.resource for one in matches if one.resource.get("resourceType") == kind]
    same = [str(one.get("id")) for one in given if _same(one, resource)]
    return f"{kind}/{min(same)}" if same else None


def _same(one: Resource, resource: Resource) -> bool:
    """Not every server heeds the parameters of a search."""
    if "identifier" in resource:
        return bool(_identifiers(resource) & _identifiers(one))
    same_deed = _activity(one) == _activity(resource) and not _other_versions(resource, one)
    return same_deed and set(map(_relative, _references(resource))) <= set(map(_relative, _references(one)))


def _other_versions(resource: Resource, one: Resource) -> bool:
    """Is it about a version that the other one is not about? Some servers drop the versions; then nobody can tell."""
    ours, theirs = _versions(resource), _versions(one)
    return any(place in theirs and not known <= theirs[place] for place, known in ours.items())


def _versions(resource: Resource) -> dict[str, set[str]]:
    """By place, of the references that name a version."""
    found: dict[str, set[str]] = {}
    for reference in _references(resource):
        _, _, version = reference.partition("/_history/")
        if version:
            found.setdefault(_relative(reference), set()).add(version)
    return found


def _activity(provenance: Resource) -> set[str]:
    """Its codes: writing a result has none, marking it has. A Coding in STU3, a CodeableConcept later."""
    found = provenance.get("activity") or {}
    return {str(one.get("code")) for one in found.get("coding", [found] if found else [])}


def _identifiers(resource: Resource) -> set[tuple[str | None, str | None]]:
    """STU3 has one where later versions have several."""
    found = resource.get("identifier") or []
    return {(one.get("system"), one.get("value")) for one in (found if isinstance(found, list) else [found])}


def _relative(reference: str) -> str:
    return "/".join(reference.partition("/_history/")[0].split("/")[-2:])


def _references(value: Any) -> Iterator[str]:
    """Every literal reference in a resource, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from _references(inner)
