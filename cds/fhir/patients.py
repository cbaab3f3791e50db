"""Every patient of a FHIR server, one after the other, each with what some needs ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from cds.errors import FhirInvalid
from cds.fhir.client import FhirServer
from cds.fhir.decoding import ABSENT, UNREADABLE, kind_of
from cds.fhir.files import Chart
from cds.fhir.shapes import RawBundle
from cds.needs import Need

_bundle = msgspec.json.Decoder(RawBundle)


def patients(client: FhirServer, needs: Iterable[Need]) -> Iterator[Chart]:
    """All whom the client's token opens, whole: unlike a hook, this reads every page, or raises FhirError."""
    asked = _asked(client, needs)
    for patient_id, raw in _people(client, ""):
        yield _chart(client, asked, patient_id, raw)


def ids(client: FhirServer, criteria: str = "") -> Iterator[str]:
    """Of all whom the client's token opens, or of those whom the criteria of a search find."""
    return (patient_id for patient_id, _ in _people(client, criteria))


def whole(client: FhirServer, needs: Iterable[Need], patient_id: str) -> Chart:
    """One of them."""
    return _chart(client, _asked(client, needs), patient_id, client.get(f"Patient/{patient_id}"))


def _asked(client: FhirServer, needs: Iterable[Need]) -> list[Need]:
    return [client.searches.asks(client.version.asks(need)) for need in needs if need.resource != "Patient"]


def _people(client: FhirServer, criteria: str) -> Iterator[tuple[str, bytes]]:
    for raw in _entries(client, f"Patient?{criteria}{'&' if criteria else ''}_count=200"):
        kind = kind_of(raw)
        if kind.resource_type == "Patient" and kind.id:
            yield kind.id, raw


def _chart(client: FhirServer, needs: list[Need], patient_id: str, patient: bytes) -> Chart:
    resources = {"Patient": [patient]}
    seen = set()
    for raw in (raw for need in needs for raw in _entries(client, need.search(patient_id))):
        kind = kind_of(raw)
        if (kind.resource_type, kind.id) not in seen or not kind.id:
            seen.add((kind.resource_type, kind.id))
            resources.setdefault(kind.resource_type, []).append(raw)
    names = {f"Patient/{patient_id}", client.within_base(f"Patient/{patient_id}")}
    return Chart(id=patient_id, names=names, resources=resources)


def _entries(client: FhirServer, search: str) -> Iterator[bytes]:
    """The resources of a search, through all of its pages."""
    page: str | None = search
    read = set()
    while page:
        read.add(page)
        try:
            bundle = _bundle.decode(client.get(page))
        except UNREADABLE as error:
            raise FhirInvalid("the answer to a search is not a Bundle", url=client.within_base(page)) from error
        yield from (bytes(entry.resource) for entry in bundle.entry or () if bytes(entry.resource) not in ABSENT)
        page = next((link.url for link in bundle.link or () if link.relation == "next"), None)
        if page in read:
            raise FhirInvalid("the pages of a search go round in a circle", url=page)
