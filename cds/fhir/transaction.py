"""What one "Save to chart" sends: all or nothing in one transaction (R4 http, 3.1.0.11), and what came back.

Everything with an identifier is created only if it is not there yet; Provenance has none in R4.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar
from urllib.parse import quote

import msgspec

from cds.errors import FhirInvalid
from cds.fhir import write
from cds.fhir.decoding import UNREADABLE
from cds.fhir.elements import Resource
from cds.fhir.shapes import Kind, Shape
from cds.fhir.transparency import (
    IDENTIFIERS,
    INSIDE,
    Signature,
    device,
    device_inside,
    model_card,
    provenance,
    status_of,
)
from cds.fhir.versions import Version
from cds.fhir.write import require_valid
from cds.records import (
    Algorithm,
    Charted,
    DiagnosticReportRecord,
    DocumentRecord,
    ObservationRecord,
    RiskAssessmentRecord,
)

S = TypeVar("S", bound=Shape)


BESIDE = frozenset({"Device", "Provenance"})
WITH_CARD = BESIDE | {"DocumentReference"}


def transaction(
    records: Sequence[Charted],
    *,
    fhir_user: str,
    confirmed_at: datetime,
    version: Version = Version.R4,
    beside: frozenset[str] = BESIDE,
) -> Resource:
    """The records, the Device that is their author with its model card, and the Provenance that names who confirmed.

    `beside`: which of these types (the card is a DocumentReference) the EHR lets us create. Without a Device each
    record holds its author inside. Where nobody is named who confirmed, the results are preliminary.
    """
    status = status_of(fhir_user)
    authors = {record.algorithm: _author(record.algorithm, beside=beside, at=confirmed_at) for record in records}
    results = [_result(record, records, author=authors[record.algorithm], status=status) for record in records]
    whole = [*results, *(one for author in authors.values() for one in author.resources)]
    if "Provenance" in beside:
        author, targets = authors[records[0].algorithm], [_urn(result) for result in results]
        signed = Signature(device=author.reference, card=author.card, fhir_user=fhir_user, confirmed_at=confirmed_at)
        whole.append(author.signs(provenance(records, targets=targets, signature=signed)))
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [_entry(one, version) for one in whole]}
    return require_valid(bundle, version)


def by_itself(record: Charted, version: Version = Version.R4) -> Resource:
    """One record with its author inside, preliminary: for an EHR that files it on its own. On the hook's path, so its shape
    is validated in the tests and not here (as `write.order_as_fhir`).
    """
    author = _author(record.algorithm, beside=frozenset(), at=record.at)
    return version.writes(_result(record, [record], author=author, status=status_of("")))


class _Author(NamedTuple):
    """Who computed it, as others refer to it: a resource of its own, or one inside each of those that name it."""

    reference: str
    card: str
    resources: list[Resource]
    inside: Resource | None

    def signs(self, resource: Resource) -> Resource:
        """With its author inside, if it names one that stands nowhere else (R4 dom-3: no other is contained)."""
        named = self.inside is not None and self.reference in msgspec.json.encode(resource).decode()
        return resource | {"contained": [self.inside]} if named else resource


def _author(algorithm: Algorithm, *, beside: frozenset[str], at: datetime) -> _Author:
    has_card = bool(algorithm.card) and "DocumentReference" in beside
    cards = [model_card(algorithm, at=at)] if has_card else []
    card = _urn(cards[0]) if cards else ""
    if "Device" in beside:
        made = device(algorithm, card=card)
        return _Author(reference=_urn(made), card=card, resources=[made, *cards], inside=None)
    return _Author(reference=INSIDE, card=card, resources=cards, inside=device_inside(algorithm, card=card))


def _result(record: Charted, records: Sequence[Charted], *, author: _Author, status: str) -> Resource:
    beside = [_urn_of("Observation", other.identifier) for other in records if isinstance(other, ObservationRecord)]
    match record:
        case ObservationRecord():
            return author.signs(write.observation(record, device=author.reference, status=status))
        case RiskAssessmentRecord():
            made = write.risk_assessment(record, device=author.reference, basis=beside, status=status)
            return author.signs(made)
        case DiagnosticReportRecord():
            return write.diagnostic_report(record, result=beside, status=status)
        case DocumentRecord():
            return author.signs(write.document_reference(record, device=author.reference, status=status))


def _entry(resource: Resource, version: Version) -> Resource:
    written = version.writes(resource)
    request = {"method": "POST", "url": written["resourceType"]}
    if "identifier" not in resource:
        return {"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": written, "request": request}
    return {"fullUrl": _urn(resource), "resource": written, "request": request | {"ifNoneExist": _query(resource)}}


def _urn(resource: Resource) -> str:
    identifier = resource["identifier"][0]
    return _urn_of(resource["resourceType"], identifier["value"])


def _urn_of(kind: str, identifier: str) -> str:
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{IDENTIFIERS}/{kind}/{identifier}')}"


def _query(resource: Resource) -> str:
    """A token search; what is special in a query is escaped, as an algorithm's version may hold a plus sign."""
    identifier = resource["identifier"][0]
    return f"identifier={identifier['system']}|{quote(identifier['value'], safe='/')}"


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


def _read(answer: bytes, shape: type[S]) -> S:
    try:
        return msgspec.json.decode(answer, type=shape)
    except UNREADABLE as error:
        raise FhirInvalid("the server's answer cannot be read") from error
