"""What one "Save to chart" sends: all or nothing in one transaction (R4 http, 3.1.0.11), and what came back.

Everything with an identifier is created only if it is not there yet. Provenance has none in R4: whoever sends again
after an answer that got lost looks first (`identifying_searches`).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

import msgspec

from cds.errors import FhirInvalid
from cds.fhir import write
from cds.fhir.shapes import Kind, Shape
from cds.fhir.write import Charted, Resource
from cds.records import ObservationRecord

S = TypeVar("S", bound=Shape)


def transaction(records: Sequence[Charted], *, fhir_user: str, confirmed_at: datetime) -> Resource:
    """The records, the Device that is their author, and the Provenance that names who confirmed them."""
    devices = {record.algorithm: write.device(record.algorithm) for record in records}
    resources = [_resource(record, records, device=_urn(devices[record.algorithm])) for record in records]
    provenance = write.provenance(
        records,
        targets=[_urn(resource) for resource in resources],
        device=_urn(devices[records[0].algorithm]),
        fhir_user=fhir_user,
        confirmed_at=confirmed_at,
    )
    return _bundle([*resources, *devices.values(), provenance])


def essential(records: Sequence[Charted]) -> Resource:
    """For an EHR that lets us create neither Device nor Provenance: the records alone, each with its author inside."""
    return _bundle([_with_author_inside(record, records) for record in records])


def _with_author_inside(record: Charted, records: Sequence[Charted]) -> Resource:
    device = write.device(record.algorithm) | {"id": "algorithm"}
    return _resource(record, records, device="#algorithm") | {"contained": [device]}


def _resource(record: Charted, records: Sequence[Charted], *, device: str) -> Resource:
    if isinstance(record, ObservationRecord):
        return write.observation(record, device=device)
    beside = [_urn_of("Observation", other.identifier) for other in records if isinstance(other, ObservationRecord)]
    return write.risk_assessment(record, device=device, basis=beside)


def _bundle(resources: Sequence[Resource]) -> Resource:
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [_entry(one) for one in resources]}
    return write.require_valid(bundle)


def _entry(resource: Resource) -> Resource:
    request = {"method": "POST", "url": resource["resourceType"]}
    if "identifier" not in resource:
        return {"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": resource, "request": request}
    return {"fullUrl": _urn(resource), "resource": resource, "request": request | {"ifNoneExist": _query(resource)}}


def _urn(resource: Resource) -> str:
    identifier = resource["identifier"][0]
    return _urn_of(resource["resourceType"], identifier["value"])


def _urn_of(kind: str, identifier: str) -> str:
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{write.IDENTIFIERS}/{kind}/{identifier}')}"


def _query(resource: Resource) -> str:
    """A token search; what is special in a query is escaped, as an algorithm's version may hold a plus sign."""
    identifier = resource["identifier"][0]
    return f"identifier={identifier['system']}|{quote(identifier['value'], safe='/')}"


def identifying_searches(bundle: Resource) -> list[str]:
    """One search for each of the patient's resources in `bundle`: is it there already?"""
    return [_identified(entry) for entry in bundle["entry"] if entry["request"]["url"] not in {"Device", "Provenance"}]


def _identified(entry: Resource) -> str:
    """`Type?identifier=...`, or `Type` for what has no identifier."""
    request = entry["request"]
    return f"{request['url']}?{request['ifNoneExist']}" if "ifNoneExist" in request else str(request["url"])


# --- What came back ----------------------------------------------------------------------------------------------
class _Response(Shape):
    status: str = ""
    location: str | None = None


class _Entry(Shape):
    response: _Response | None = None
    resource: Kind | None = None


class _Answer(Shape):
    resource_type: str = ""
    type: str = ""
    entry: list[_Entry] = []


def references(answer: bytes, *, sent: Resource) -> list[str]:
    """`Type/id` of what stands in the chart now, in the order sent.

    For what was there already R4 lets a server answer without an id: there it is the search that identifies it.
    """
    found = _read(answer, _Answer)
    if found.resource_type != "Bundle" or found.type != "transaction-response":
        raise FhirInvalid("the answer to a transaction is not a transaction-response")
    if len(found.entry) != len(sent["entry"]):
        raise FhirInvalid("the transaction-response has not one entry for each entry sent")
    both = zip(found.entry, sent["entry"], strict=True)
    return [_reference(entry, one["request"]["url"]) or _identified(one) for entry, one in both]


def _reference(entry: _Entry, kind: str) -> str | None:
    response = entry.response or _Response()
    if not response.status.startswith(("200", "201")):
        raise FhirInvalid(f"{kind} was answered with {response.status[:3] or 'no status'}")
    _, _, after = f"/{response.location or ''}".rpartition(f"/{kind}/")
    resource_id = after.partition("/")[0] or (entry.resource.id if entry.resource else None)
    return f"{kind}/{resource_id}" if resource_id else None


class _Found(Shape):
    resource: Kind | None = None


class _Searchset(Shape):
    entry: list[_Found] = []


def found_any(answer: bytes) -> bool:
    """Did the search find what it looked for?"""
    kinds = [entry.resource.resource_type for entry in _read(answer, _Searchset).entry if entry.resource]
    return any(kind != "OperationOutcome" for kind in kinds)


def _read(answer: bytes, shape: type[S]) -> S:
    try:
        return msgspec.json.decode(answer, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FhirInvalid("the server's answer cannot be read") from error
