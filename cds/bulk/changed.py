"""Whose record changed: an export with `_since` holds parts of charts, so it only names whose whole charts are read then.

A patient whose record was deleted leaves every worklist. The deletion of anything else does not say whose it was; the case
files behind earlier runs may know (of who alerts, or is written about). What nobody knows is counted, never passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from cds import audit
from cds.bulk.accounts import Ledger, keep, lines_of
from cds.bulk.deleted import NOT_SO, deleted_by
from cds.fhir.decoding import UNREADABLE
from cds.fhir.files import head_of, owner_of
from cds.fhir.write import ASSESSMENT
from cds.leaving import leave
from cds.models import Assessment, Export, ExportFile, PopulationResult, PopulationRun

UNREAD = "not FHIR JSON: who changed is not known"
NOBODY = "says not whose it is"
UNKNOWN = "deleted, and whose it was is not known"

Part = ExportFile.Part
_PATIENT = "Patient/"


class _Identifier(Struct, frozen=True):
    system: str = ""


class _Written(Struct):
    identifier: list[_Identifier] = []


def take_note(export: Export) -> set[str]:
    """Whose record changed, of a run that is about them; and who is deleted leaves, in any run. Every line is accounted for."""
    run, ledger = export.run, Ledger(export.run)
    people = _named(export, ledger) if run.since is not None else set()
    gone = frozenset[str]().union(*(deleted_by(line) for _, line in _lines(export, Part.DELETED)))
    owners = _owners(run, gone) if run.since is not None else dict.fromkeys(gone, "")
    for name, line in _lines(export, Part.DELETED):
        places = deleted_by(line)
        known = all(place in owners or place.startswith(_PATIENT) for place in places)
        ledger.line(name, used=bool(places) and known, flaw=NOT_SO if not places else "" if known else UNKNOWN)
    keep(export, ledger, heard=ledger.said)
    patients = {place.removeprefix(_PATIENT) for place in gone if place.startswith(_PATIENT)}
    _leave(run, patients)
    return (people | set(owners.values())) - patients


def newcomers(run: PopulationRun, members: Iterable[str]) -> set[str]:
    """Of a Group's members those whom its finished runs did not answer about: nothing of their record may have changed."""
    same = {"ehr": run.ehr, "service_id": run.service_id, "detail": run.detail, "state": PopulationRun.State.DONE}
    answered = PopulationResult.objects.filter(run__in=PopulationRun.objects.filter(**same))
    known = set(answered.exclude(outcome=PopulationResult.Outcome.FAILED).values_list("pseudonym", flat=True))
    return {one for one in members if _key(run, one) not in known}


def _named(export: Export, ledger: Ledger) -> set[str]:
    """What we wrote there ourselves is no change: else whoever is written about would be asked again each time."""
    people = set[str]()
    for name, line in _lines(export, Part.OUTPUT):
        if _is_ours(line):
            ledger.line(name)
            continue
        try:
            who, flaw = owner_of(head_of(line)), NOBODY
        except UNREADABLE:
            who, flaw = "", UNREAD
        ledger.line(name, used=bool(who), flaw="" if who else flaw)
        people |= {who} - {""}
    return people


def _is_ours(line: bytes) -> bool:
    try:
        return any(one.system == ASSESSMENT for one in msgspec.json.decode(line, type=_Written).identifier)
    except UNREADABLE:
        return False


def _owners(run: PopulationRun, gone: frozenset[str]) -> dict[str, str]:
    """By what was deleted, the patient's id, as far as an answer of an earlier run rests on it."""
    if all(place.startswith(_PATIENT) for place in gone):
        return {}
    earlier = PopulationResult.objects.filter(run__ehr=run.ehr, run__service_id=run.service_id, left="")
    cases = Assessment.objects.filter(pk__in=earlier.values("assessment"), snapshot__isnull=False).only("snapshot")
    contexts = (case.context for case in cases.iterator(chunk_size=100))
    return {place: context.patient.id for context in contexts for place in context.sources & gone}


def _lines(export: Export, part: ExportFile.Part) -> Iterator[tuple[str, bytes]]:
    """Each with the file's name in the accounts."""
    for file in export.files.filter(part=part).order_by("position"):
        file.export = export
        yield from ((f"{part}/{file.name}", line) for line in lines_of(file.path))


def _leave(run: PopulationRun, patients: set[str]) -> None:
    if run.ehr is None or not patients:
        return
    left = leave(run.ehr, (run.ehr.pseudonym(one) for one in patients), PopulationResult.Left.DELETED)
    audit.record("bulk-deleted", actor=audit.US, ehr=run.ehr, subject=str(run.pk), patients=len(patients), answers=left)


def _key(run: PopulationRun, patient_id: str) -> str:
    return run.ehr.pseudonym(patient_id) if run.ehr else ""
