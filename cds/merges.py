"""Merged and parted records: what becomes of results that were saved, and of a patient's no.

A result rests on the facts of one record. Once that is a part of another one, nobody has asked the question about the
whole; so a result is never copied into the other chart. Where the EHR has moved it there itself, it stays as the EHR
wants it; else it is retracted, and the next look at the chart that counts asks anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from django.db import transaction
from django.db.models import CharField, IntegerField, Q, QuerySet
from django.utils import timezone

from cds import audit
from cds.errors import CdsError, FhirError, FhirInvalid, MergedPatient
from cds.fhir.client import FhirServer
from cds.fhir.identity import identity
from cds.identity import PatientIdentity
from cds.models import Assessment, Ehr, Merge, WriteBack
from cds.opt_out import opt_out_by_key
from cds.prepared import Question
from cds.writeback.alone import can, own_access
from cds.writeback.retract import retract_merged
from cds.writeback.standing import of, places

logger = logging.getLogger(__name__)

_MERGED = "the patient's record was merged into another one"
_PARTED = "the patient's record was parted from the one whose chart this is"
_GONE = {404, 410}


# --- Noticing ----------------------------------------------------------------------------------------------------
class Linked(Protocol):
    """A patient as read; `replaces`: the ids of records that were merged into theirs."""

    @property
    def replaces(self) -> tuple[str, ...]: ...


class Links(NamedTuple):
    """What one record says of others. `into`: the one that counts instead, "" where it is not named; None: it counts itself."""

    patient_id: str
    into: str | None = None
    replaces: tuple[str, ...] = ()


Found = TypeVar("Found", bound=Linked)
_could_be_over = Question(Merge.told_by, ehr=IntegerField(), key=CharField())


def noticing(ehr: Ehr, patient_id: str, read: Callable[[], Found], *, merged: bool = True) -> Found:
    """What `read` reads of this patient at the EHR; merges and partings that the record tells of are noticed on the way.

    `merged`: could there be a merge that is over? False where that was looked up just now.
    """
    try:
        found = read()
    except MergedPatient as error:
        notice(ehr, Links(patient_id, into=error.into))
        raise
    if merged or found.replaces:
        notice(ehr, Links(patient_id, replaces=found.replaces))
    return found


def notice(ehr: Ehr, links: Links, *, at: datetime | None = None) -> None:
    """What was saved is seen to afterwards (`follow_all`). `at`: when the record was as read, if that is some time ago."""
    here = ehr.pseudonym(links.patient_id)
    if links.into:
        _merged(ehr, here, ehr.pseudonym(links.into), by_survivor=False, at=at)
    elif links.into is None:
        older = {ehr.pseudonym(one) for one in links.replaces}
        for merge in _could_be_over(ehr=ehr.pk, key=here):
            if merge.from_key == here or merge.from_key not in older:
                _parted(ehr, merge, at=at)
        for key in sorted(older):
            _merged(ehr, key, here, by_survivor=True, at=at)


def _merged(ehr: Ehr, old: str, new: str, *, by_survivor: bool, at: datetime | None) -> None:
    """Once; a no goes with the patient."""
    if old == new or (at and _newer(ehr, old, at)):
        return
    with transaction.atomic():
        told = {"into_key": new, "by_survivor": by_survivor}
        merge, fresh = Merge.objects.get_or_create(ehr=ehr, from_key=old, undone_at=None, defaults=told)
        if merge.by_survivor and not by_survivor:
            Merge.objects.filter(pk=merge.pk).update(by_survivor=False)
        if not fresh:
            return
        audit.record("merge", actor=audit.US, ehr=ehr, patient_key=old, subject=new)
        if ehr.opt_outs.filter(patient_key=old).exists():
            opt_out_by_key(ehr, new, actor=audit.US)


def _parted(ehr: Ehr, merge: Merge, *, at: datetime | None) -> None:
    """They are two again."""
    if at and _newer(ehr, merge.from_key, at):
        return
    with transaction.atomic():
        together = Merge.objects.filter(pk=merge.pk, undone_at=None)
        if together.update(undone_at=timezone.now(), followed_at=None):
            audit.record("unmerge", actor=audit.US, ehr=ehr, patient_key=merge.from_key, subject=merge.into_key)


def _newer(ehr: Ehr, key: str, at: datetime) -> bool:
    """Is it known since then what became of this record?"""
    since = Q(noticed_at__gt=at) | Q(undone_at__gt=at)
    return ehr.merges.filter(since, from_key=key).exists()


def look(ehr: Ehr) -> None:
    """Read again each patient with results in the chart, as long as their facts are kept: merged, or parted again?"""
    if not can(ehr):
        return
    client = own_access(ehr).client()
    for patient_id in sorted(_patients_of(ehr)):
        try:
            noticing(ehr, patient_id, partial(_read, patient_id, ehr=ehr, client=client))
        except MergedPatient:
            continue
        except FhirError as error:
            logger.info("a patient of EHR %s was not read: %s %s", ehr.pk, type(error).__name__, error.http_status)
            if error.retry:
                return  # the next night is soon enough


def _read(patient_id: str, *, ehr: Ehr, client: FhirServer) -> PatientIdentity:
    found = identity(client.request_json(f"Patient/{patient_id}"), mrn_system=ehr.mrn_system)
    if found.id != patient_id:
        raise FhirInvalid("the answer is another Patient")
    return found


def _patients_of(ehr: Ehr) -> set[str]:
    found = Assessment.objects.filter(pk__in=_saved(ehr).values("assessment"), snapshot__isnull=False)
    merged = ehr.merges.filter(undone_at=None)
    for side in ("from_key", "into_key"):
        found |= Assessment.objects.filter(ehr=ehr, patient_key__in=merged.values(side), snapshot__isnull=False)
    return {one.context.patient.id for one in found.only("snapshot").iterator(chunk_size=100)}


# --- Seeing to what was saved --------------------------------------------------------------------------------------
def follow_all() -> None:
    """An EHR that does not answer keeps no other's waiting, and is asked again."""
    for merge in Merge.objects.filter(followed_at=None, ehr__active=True).select_related("ehr"):
        try:
            client = own_access(merge.ehr).client() if can(merge.ehr) else None
            _see_to(merge, client=client)
        except CdsError as error:
            logger.warning("a merge at EHR %s is not followed yet: %s", merge.ehr_id, type(error).__name__)
        else:
            Merge.objects.filter(pk=merge.pk, undone_at=merge.undone_at).update(followed_at=timezone.now())


def _see_to(merge: Merge, *, client: FhirServer | None) -> None:
    """What the EHR has brought where it belongs stays; what it has left in the other chart is retracted."""
    if merge.undone_at is None:
        _retract_unless_at(merge.into_key, merge, client=client, why=_MERGED)
    else:
        _retract_unless_at(merge.from_key, merge, client=client, why=_PARTED)


def _retract_unless_at(patient_key: str, merge: Merge, *, client: FhirServer | None, why: str) -> None:
    """Without access of our own nobody can look where it stands: then it is retracted."""
    rows = _saved(merge.ehr).filter(assessment__patient_key=merge.from_key).select_related("assessment__ehr")
    for assessment in {row.assessment for row in rows}:
        if client is None or not _stands_at(patient_key, assessment, client=client):
            retract_merged(assessment, why=why)


def _saved(ehr: Ehr) -> QuerySet[WriteBack]:
    """What was saved or is on its way."""
    rows = WriteBack.objects.filter(assessment__ehr=ehr, aim=WriteBack.Aim.WRITE, assessment__retracted_at=None)
    return rows.exclude(status=WriteBack.Status.DECLINED)


def _stands_at(patient_key: str, assessment: Assessment, *, client: FhirServer) -> bool:
    """Is all of it that is there about this patient?"""
    row = of(assessment)
    if row is None or not row.written:
        return False
    about = [_subject(place, client) for place in places(row, client)]
    return all(assessment.ehr.pseudonym(one) == patient_key for one in about if one)


def _subject(place: str, client: FhirServer) -> str:
    """The patient's id; "" of what is in nobody's chart, and of what was deleted."""
    try:
        found, _ = client.read(place)
    except FhirError as error:
        if error.http_status in _GONE:
            return ""
        raise
    reference = str((found.get("subject") or {}).get("reference", ""))
    return reference.partition("/_history/")[0].rpartition("/")[2]
