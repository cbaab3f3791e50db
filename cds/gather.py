"""Gather: what was prefetched is used, the rest is fetched, and what must be there is there or the call ends with 412."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from operator import attrgetter
from typing import Any

import msgspec
from django.conf import settings

from cds.context import PatientContext
from cds.errors import BadInput, FhirError, FhirInvalid, FhirRefused, MergedPatient, MissingData, ProtectedData
from cds.facts import Diagnosis, Drug, Imaging, Issue, Observed, Order, Person, Stay, Treatment, newest_first
from cds.fhir.client import FhirServer
from cds.fhir.decoding import UNREADABLE
from cds.fhir.read import NOT_THEIRS, Reader, Reading
from cds.fhir.shapes import Bundle
from cds.labels import PROTECTED, kept_out
from cds.needs import Need
from cds.service import DecisionService

# By key: JSON, or a Bundle that is decoded already; None: asked for, and nothing there (CDS Hooks 2.0.1, "Prefetch Template").
Prefetch = Mapping[str, msgspec.Raw | Bundle[Any] | None]
_SOURCE = attrgetter("source")
_SOURCE_AND_ANALYTE = attrgetter("source", "analyte")  # one panel is several measurements


def gather(  # noqa: PLR0913 -- the door's whole question, each part named
    service: DecisionService,
    *,
    patient_id: str,
    now: datetime,
    client: FhirServer | None = None,
    prefetch: Prefetch | None = None,
    encounter_id: str | None = None,
    labels_read: str = "",
    also: tuple[Need, ...] = (),
    tally: dict[str, str] | None = None,
) -> PatientContext:
    """The facts that `service` needs about one patient; `now` is in the EHR's zone.

    Raises MissingData (412) when a required need is neither in the prefetch nor fetchable. `labels_read`: the security
    labels (cds.labels) whose entries this hospital allows, by comma. What the client's token does not open is not asked
    for. `also`: what the door itself wants to know of the record. `tally` is filled with what became of each prefetch key.
    """
    needs = (*service.needs, *also)
    out = kept_out(except_for=labels_read)
    reader = Reader(patient_id=patient_id, zone=now.tzinfo, kept_out=out)  # type: ignore[arg-type]  # PatientContext refuses a naive `now`
    readings = _from_prefetch(needs, prefetch or {}, reader)
    if tally is not None:
        tally |= {need.key: _became(need, prefetch or {}, readings.get(need.key)) for need in needs}
    if client is not None:
        unanswered = [need for need in needs if need.key not in readings or readings[need.key].failed]
        readings |= fetch(_asked(unanswered, client), client=client, reader=reader)
        for need in needs:
            _follow(need, readings.get(need.key), client=client, reader=reader)
    return assemble(needs, readings, patient_id=patient_id, now=now, encounter_id=encounter_id)


def _asked(needs: list[Need], client: FhirServer) -> list[Need]:
    """What the token opens and the server offers, in its words and those of its FHIR version.

    Nothing is found out about the server where there is nothing to ask.
    """
    named = [client.version.asks(need) for need in needs]
    return [client.searches.asks(need) for need in named if client.opens(need) and client.searches.offers(need)]


def _from_prefetch(needs: tuple[Need, ...], prefetch: Prefetch, reader: Reader) -> dict[str, Reading]:
    """CDS Hooks 2.0.1, "Prefetch Template": key absent = not asked; null = asked, nothing there."""
    readings = {}
    for need in needs:
        if need.key not in prefetch:
            continue
        if (found := prefetch[need.key]) is not None:
            readings[need.key] = reader.read(need, found)
        elif need.resource != "Patient":
            readings[need.key] = Reading()
    return readings


def _became(need: Need, prefetch: Prefetch, reading: Reading | None) -> str:
    """hit, null, paged (more of it stands elsewhere), invalid (an error, or another patient's), or miss."""
    if need.key not in prefetch:
        return "miss"
    if prefetch[need.key] is None:
        return "null"
    if reading is None or reading.failed or _of_another(reading):
        return "invalid"
    return "paged" if reading.next else "hit"


def _of_another(reading: Reading) -> bool:
    return any(issue.reason == NOT_THEIRS for issue in reading.issues)


def fetch(needs: list[Need], *, client: FhirServer, reader: Reader) -> dict[str, Reading]:
    """All in one batch where the server says that it can, else side by side. A need that cannot be had is left out."""
    if not needs:
        return {}
    if len(needs) == 1 or not client.searches.together:
        return _side_by_side(needs, client=client, reader=reader)
    try:
        return _batch(needs, client=client, reader=reader)
    except (FhirInvalid, FhirRefused):  # not as it said, or not for this token: its scopes may still allow each read
        return _side_by_side(needs, client=client, reader=reader)
    except FhirError:
        return {}


def _side_by_side(needs: list[Need], *, client: FhirServer, reader: Reader) -> dict[str, Reading]:
    with ThreadPoolExecutor(max_workers=len(needs)) as pool:
        found = pool.map(lambda need: _single(need, client=client, reader=reader), needs)
    return {need.key: reading for need, reading in zip(needs, found, strict=True) if reading}


class _Response(msgspec.Struct):
    status: str = ""


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw()
    response: _Response | None = None


class _BatchAnswer(msgspec.Struct):
    entry: list[_Entry] = []


def _batch(needs: list[Need], *, client: FhirServer, reader: Reader) -> dict[str, Reading]:
    """FHIR R4, "batch/transaction": the answers come in the order of the questions."""
    entries = [{"request": {"method": "GET", "url": need.search(reader.patient_id)}} for need in needs]
    response = client.post_json("", {"resourceType": "Bundle", "type": "batch", "entry": entries})
    try:
        answers = msgspec.json.decode(response.content, type=_BatchAnswer).entry
    except UNREADABLE as error:
        raise FhirInvalid("the answer to a batch is not a Bundle", url=client.base_uri) from error
    if len(answers) != len(needs):
        raise FhirInvalid("a batch was answered with another number of entries", url=client.base_uri)
    return {
        need.key: _read(need, answer.resource, reader)
        for need, answer in zip(needs, answers, strict=True)
        if bytes(answer.resource) and answer.response and answer.response.status.startswith("2")
    }


def _single(need: Need, *, client: FhirServer, reader: Reader) -> Reading | None:
    try:
        return _read(need, client.get(need.search(reader.patient_id)), reader)
    except FhirError:
        return None  # named in `unread`, or a MissingData, by `assemble`


def _read(need: Need, raw: bytes | msgspec.Raw, reader: Reader) -> Reading:
    reading = reader.read(need, raw)
    reading.sorted = need.newest_first
    return reading


def _follow(need: Need, reading: Reading | None, *, client: FhirServer, reader: Reader) -> None:
    """The further pages; a link that leaves the FHIR base, or a page that fails, leaves `next` set."""
    pages = 1
    while reading is not None and reading.next and pages < settings.FHIR_MAX_PAGES:
        try:
            reading.absorb(reader.read(need, client.get(reading.next)))
        except FhirError:
            return
        pages += 1


def assemble(
    needs: tuple[Need, ...],
    readings: Mapping[str, Reading],
    *,
    patient_id: str,
    now: datetime,
    encounter_id: str | None = None,
) -> PatientContext:
    """One frozen context out of all readings; required needs must be there whole ("ever" means ever)."""
    usable = {need.key for need in needs if need.key in readings and _usable(need, readings[need.key])}
    got = {key: reading for key, reading in readings.items() if key in usable}
    lacking = tuple(need.key for need in needs if need.required and (need.key not in got or got[need.key].next))
    if lacking:
        raise MissingData(lacking)
    person = _person(got, patient_id)
    if any(need.required and got[need.key].withheld for need in needs):
        raise ProtectedData  # "none on record" would be untrue: docs/decisions/005-protected-entries.md
    coded = _once([fact for reading in got.values() for fact in reading.coded], _SOURCE)
    observed, ahead = _by_analyte([fact for reading in got.values() for fact in reading.observed], now)
    return PatientContext(
        patient=person,
        now=now,
        encounter_id=encounter_id,
        observations=observed,
        diagnoses=_of(Diagnosis, coded),
        drugs=_of(Drug, coded),
        treatments=_of(Treatment, coded),
        stays=_of(Stay, coded),
        orders=_of(Order, coded),
        imaging=_of(Imaging, coded),
        issues=(*_issues(readings), *ahead, *_cut_short(got), *_protected(got)),
        unread=tuple(need.key for need in needs if need.key not in got),
    )


def _usable(need: Need, reading: Reading) -> bool:
    """Of what was to come newest first, the first pages do where it did; else the newest may be among the others."""
    if reading.failed:
        return False
    return not (reading.next and need.newest_first) or (reading.sorted and _newest_first(reading.observed))


def _newest_first(found: list[Observed]) -> bool:
    """As far as the dates tell: a server may ignore `_sort` (R4 search, "Handling Errors")."""
    return all(later.when.earliest <= sooner.when.latest for sooner, later in pairwise(found))


def _person(readings: Mapping[str, Reading], patient_id: str) -> Person:
    person = readings["patient"].person if "patient" in readings else None
    if person is None:
        raise MissingData(("patient",))
    if person.id != patient_id:
        raise BadInput("the Patient is another one than the context's")
    if (into := readings["patient"].merged) is not None:
        raise MergedPatient(into)
    return person


def _once(facts: list[Any], key: Callable[[Any], Any]) -> list[Any]:
    """Each source once, though pages may overlap; a resource without an id is never taken for another one."""
    named = {key(fact): fact for fact in facts if fact.source}
    return [*named.values(), *(fact for fact in facts if not fact.source)]


def _by_analyte(observed: list[Observed], now: datetime) -> tuple[dict[str, tuple[Observed, ...]], list[Issue]]:
    """Newest first; a date in the future is not used and said."""
    past, ahead = list[Observed](), list[Observed]()
    for fact in observed:
        (past if fact.when.earliest <= now else ahead).append(fact)
    grouped: defaultdict[str, list[Observed]] = defaultdict(list)
    for fact in _once(past, _SOURCE_AND_ANALYTE):
        grouped[fact.analyte].append(fact)
    issues = [Issue(need=fact.analyte, reason="dated in the future", source=fact.source) for fact in ahead]
    return {analyte: newest_first(facts) for analyte, facts in grouped.items()}, issues


def _of(kind: type[Any], coded: Any) -> tuple[Any, ...]:
    return tuple(fact for fact in coded if type(fact) is kind)


def _issues(readings: Mapping[str, Reading]) -> list[Issue]:
    return [issue for reading in readings.values() for issue in reading.issues]


def _protected(readings: Mapping[str, Reading]) -> list[Issue]:
    """Said once and in general: under which need would tell what kind of entry it is."""
    withheld = any(reading.withheld for reading in readings.values())
    return [Issue(need="record", reason=PROTECTED)] if withheld else []


def _cut_short(readings: Mapping[str, Reading]) -> list[Issue]:
    """Optional data of which only the first pages could be read."""
    return [
        Issue(need=key, reason="only the first pages could be read")
        for key, reading in readings.items()
        if reading.next
    ]
