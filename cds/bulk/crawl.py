"""Where an EHR has no export: ordinary search, patient by patient, at the pace that the EHR's page allows.

Each patient is one file, so that who goes on asks about nobody twice.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import requests
from msgspec import Struct
from requests.auth import AuthBase

from cds import audit
from cds.bulk.pace import Fetching, due, put_off
from cds.errors import FhirError, FhirInvalid, FhirRefused, FhirUnreachable
from cds.fhir.client import FhirServer
from cds.fhir.decoding import UNREADABLE
from cds.fhir.patients import ids, whole
from cds.models import Export
from cds.needs import Need
from cds.system import Access

TRIES = 6  # of one patient, with growing pauses
_GONE = {401, 403, 404, 410}  # this record is closed to us, others may be open


class Paced(AuthBase):
    """Signs as `access` does, and lets so many requests a second out."""

    def __init__(self, access: Access, pace: float) -> None:
        self.access, self.gap, self.next = access, 1.0 / pace, time.monotonic()
        self.lock = threading.Lock()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        with self.lock:
            wait = self.next - time.monotonic()
            self.next = max(self.next, time.monotonic()) + self.gap
        time.sleep(max(0.0, wait))
        return self.access(request)


def crawl(export: Export, access: Access, needs: Iterable[Need]) -> Iterator[Fetching]:
    """Everybody's record into the run's folder. Who is closed to us is listed beside it, and counted by the run."""
    client, needs, listed = _paced(access), list(needs), listing(export)
    if not listed.exists():
        yield Fetching(words="who belongs to it")
        about(export, access, everybody(access, export.run.detail))
    people = listed.read_text().splitlines()
    for number, patient_id in enumerate(people, start=1):
        yield from _one(export, client, needs, patient_id, number=number)
        yield Fetching(words=f"patient {number} of {len(people)}")


def about(export: Export, access: Access, people: Iterable[str]) -> None:
    """Of whom the records are to be read, once and for all. Raises TooLarge where they are too many for who asked."""
    found = sorted(set(people))
    export.run.require_few_enough(len(found))
    _write(listing(export), found)
    audit.record("bulk-crawl", actor=audit.US, ehr=access.ehr, subject=str(export.run_id), types=export.kinds)


def listing(export: Export) -> Path:
    """Where that is written; it is not there before it is known."""
    return export.run.spool / "patients"


def everybody(access: Access, group: str) -> Iterator[str]:
    """Of the Group; without one, of all whom the token opens."""
    client = _paced(access)
    return _members(client, group) if group else ids(client)


def _paced(access: Access) -> FhirServer:
    client = access.client()
    client.session.auth = Paced(access, access.ehr.crawl_pace)
    return client


class _Reference(Struct, frozen=True):
    reference: str = ""


class _Member(Struct):
    entity: _Reference = _Reference()
    inactive: bool = False


class _Group(Struct):
    member: list[_Member] = []


def _members(client: FhirServer, group: str) -> Iterator[str]:
    """As the Group lists them; one that lists nobody is asked for by search."""
    try:
        found = msgspec.json.decode(client.get(f"Group/{group}"), type=_Group).member
    except UNREADABLE as error:
        raise FhirInvalid("The EHR's Group cannot be read.") from error
    if not found:
        yield from ids(client, f"_has:Group:member:_id={group}")
    for member in found:
        kind, _, patient_id = "/".join(member.entity.reference.split("/")[-2:]).partition("/")
        if kind == "Patient" and not member.inactive:
            yield patient_id


def _one(export: Export, client: FhirServer, needs: list[Need], patient_id: str, *, number: int) -> Iterator[Fetching]:
    """Unless it is here already. What cannot be had of one patient is never taken for "nothing on record"."""
    place, closed = export.run.folder / f"{number:07}.ndjson", export.run.spool / "refused" / f"{number:07}"
    while not place.exists() and not closed.exists():
        yield from due(export)
        try:
            chart = whole(client, needs, patient_id)
        except FhirError as error:
            if error.retry and export.tries < TRIES:
                put_off(export, str(int(error.retry_after)) if error.retry_after is not None else "")
                continue
            if not isinstance(error, FhirRefused) and error.http_status not in _GONE:
                export.tries = 0
                export.save(update_fields=["tries"])
                raise _said(error) from error
            _write(closed, [patient_id])
            _write(place, [msgspec.json.encode({"resourceType": "Patient", "id": patient_id}).decode()])
            continue
        raws = [raw for found in chart.resources.values() for raw in found]
        _write(place, [msgspec.json.format(raw, indent=-1).decode() for raw in raws])
        if export.tries:
            export.tries, export.next_at = 0, None
            export.save(update_fields=["tries", "next_at"])


def _said(error: FhirError) -> FhirError:
    status = f" ({error.http_status})" if error.http_status else ""
    kind = FhirUnreachable if error.retry else FhirInvalid
    return kind(f"A search that the service needs does not work at the EHR{status}.", http_status=error.http_status)


def _write(place: Path, lines: list[str]) -> None:
    """Whole or not at all, for its owner's eyes only."""
    place.parent.mkdir(mode=0o700, exist_ok=True)
    part = place.with_name(f"{place.name}.part")
    part.touch(mode=0o600)
    with part.open("w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in lines)
        out.flush()
        os.fsync(out.fileno())
    part.replace(place)
