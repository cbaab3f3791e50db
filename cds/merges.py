"""Merged and parted records: what becomes of results that were saved, and of a patient's no.

A result rests on the facts of one record. Once that is a part of another one, nobody has asked the question about the
whole; so a result is never copied into the other chart. Where the EHR has moved it there itself, it stays as the EHR
wants it; else it is retracted, and the next look at the chart that counts asks anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from cds import audit
from cds.errors import CdsError, FhirError, MergedPatient
from cds.fhir.client import FhirServer
from cds.fhir.identity import identity
from cds.models import Assessment, Ehr, Merge, WriteBack
from cds.opt_out import opt_out_by_key
from cds.writeback.alone import can, own_access
from cds.writeback.retract import retract_merged
from cds.writeback.standing import of, places

logger = logging.getLogger(__name__)

_MERGED = "the patient's record was merged into another one"
_PARTED = "the patient's record was parted from the one whose chart this is"
_GONE = {404, 410}


# --- Noticing ----------------------------------------------------------------------------------------------------
@contextmanager
def noticing(ehr: Ehr, patient_id: str) -> Iterator[None]:
    """Around any read of a patient."""
    try:
        yield
    except MergedPatient as error:
        notice(ehr, patient_id, into=error.into)
        raise


def notice(ehr: Ehr, patient_id: str, *, into: str) -> None:
    """Once; a no goes with the patient. What was saved is seen to afterwards (`follow_all`)."""
    if not into or into == patient_id:
        return
    old, new = ehr.pseudonym(patient_id), ehr.pseudonym(into)
    with transaction.atomic():
        _, fresh = Merge.objects.get_or_create(ehr=ehr, from_key=old, undone_at=None, defaults={"into_key": new})
        if not fresh:
            return
        audit.record("merge", actor=audit.US, ehr=ehr, patient_key=old, subject=new)
    if ehr.opt_outs.filter(patient_key=old).exists():
        opt_out_by_key(ehr, new, actor=audit.US)


def look(ehr: Ehr) -> None:
    """Read again each patient with results in the chart, as long as their facts are kept: merged, or parted again?"""
    if not can(ehr):
        return
    client = own_access(ehr).client()
    for patient_id in sorted(_patients_of(ehr)):
        try:
            identity(client.request_json(f"Patient/{patient_id}"), mrn_system=ehr.mrn_system)
        except MergedPatient as error:
            notice(ehr, patient_id, into=error.into)
        except FhirError as error:
            logger.info("a patient of EHR %s was not read: %s %s", ehr.pk, type(error).__name__, error.http_status)
            if error.retry:
                return  # the next night is soon enough
        else:
            _part(ehr, patient_id, client=client)


def _patients_of(ehr: Ehr) -> set[str]:
    found = Assessment.objects.filter(pk__in=_saved(ehr).values("assessment"), snapshot__isnull=False)
    merged = ehr.merges.filter(undone_at=None).values("from_key")
    found |= Assessment.objects.filter(ehr=ehr, patient_key__in=merged, snapshot__isnull=False)
    return {one.context.patient.id for one in found.only("snapshot").iterator(chunk_size=100)}


# --- Seeing to what was saved --------------------------------------------------------------------------------------
def follow_all() -> None:
    """An EHR that does not answer keeps no other's waiting, and is asked again."""
    for merge in Merge.objects.filter(followed_at=None, ehr__active=True).select_related("ehr"):
        try:
            client = own_access(merge.ehr).client() if can(merge.ehr) else None
            _retract_unless_at(merge.into_key, merge, client=client, why=_MERGED)
        except CdsError as error:
            logger.warning("a merge at EHR %s is not followed yet: %s", merge.ehr_id, type(error).__name__)
        else:
            Merge.objects.filter(pk=merge.pk).update(followed_at=timezone.now())


def _part(ehr: Ehr, patient_id: str, *, client: FhirServer) -> None:
    """They are two again: what the EHR has brought back stays, what it has left in the other's chart is retracted."""
    key = ehr.pseudonym(patient_id)
    merge = ehr.merges.filter(from_key=key, undone_at=None).first()
    if merge is None:
        return
    _retract_unless_at(key, merge, client=client, why=_PARTED)
    with transaction.atomic():
        Merge.objects.filter(pk=merge.pk).update(undone_at=timezone.now(), followed_at=timezone.now())
        audit.record("unmerge", actor=audit.US, ehr=ehr, patient_key=key, subject=merge.into_key)


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
