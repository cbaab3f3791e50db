"""Ask again about one patient: gather with our own access, then the same line as for everybody.

Facts that are the same give the same assessment; so whoever is told twice computes once.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial

from django.db.models import F
from django.utils import timezone

from cds import audit
from cds.connect import dialect_of
from cds.errors import CdsError, MissingData, ProtectedData
from cds.gather import gather
from cds.merges import noticing
from cds.models import Assessment, Ehr, EnabledService, Rescoring
from cds.notified import listening
from cds.opening import open_assessment
from cds.service import DecisionService
from cds.system import system_client
from scoring.errors import ScoringError

logger = logging.getLogger(__name__)

AGAIN = timedelta(minutes=2)
MOST_TRIES = 10  # the last after more than a day
LONGEST_WAIT = timedelta(hours=6)


def rescore(row_id: int) -> list[str]:
    """The assessments that now wait for their answer, by id; none where nothing is new or nothing may be asked."""
    row = Rescoring.objects.select_related("ehr").get(pk=row_id)
    if row.due_at is None or row.patient_id is None:
        return []
    try:
        opened, broken = _ask(row.ehr, bytes(row.patient_id).decode())
    except CdsError as error:
        _put_off(row, error)
        return []
    if broken:
        _put_off(row, broken)
    else:
        _finish(row)
    return [str(one.pk) for one in opened]


def _ask(ehr: Ehr, patient_id: str) -> tuple[list[Assessment], ScoringError | None]:
    """What the EHR does not give, no service gets; a service without a model keeps no other from being asked."""
    opened, broken = list[Assessment](), None
    for service, here in [] if ehr.opted_out(patient_id) else listening.services(ehr):
        try:
            opened += filter(None, [_ask_one(service, here, patient_id)])
        except ScoringError as error:
            broken = error
    return opened, broken


def _ask_one(service: DecisionService, here: EnabledService, patient_id: str) -> Assessment | None:
    """None where the answer is known, or the chart is restricted: that is for clinicians who open it."""
    ehr = here.ehr
    kinds = [dialect_of(ehr).version.calls(need.resource) for need in service.needs if need.resource != "Patient"]
    client = system_client(ehr, needed=("Patient.r",), wanted=[f"{kind}.rs" for kind in kinds])
    read = partial(gather, service, patient_id=patient_id, now=ehr.now(), client=client, labels_read=ehr.labels_read)
    context = noticing(ehr, patient_id, read)
    if context.replaces and ehr.opted_out(patient_id):  # a no that has just come along
        return None
    if context.patient.restricted and not ehr.restricted_in_hooks:
        audit.record("rescore", actor=audit.US, ehr=ehr, patient_id=patient_id, subject=service.id, answer="restricted")
        return None
    assessment, fresh = open_assessment(service=service, here=here, context=context)
    audit.record(
        "rescore", actor=audit.US, ehr=ehr, patient_id=patient_id, subject=str(assessment.pk), service=service.id
    )
    return assessment if fresh else None


def _finish(row: Rescoring) -> None:
    """Unless more was told meanwhile: then this answer may have been too early, and another one is owed."""
    done = {"done_at": timezone.now(), "held_until": None, "tries": 0, "failure": ""}
    mine = Rescoring.objects.filter(pk=row.pk)
    if not mine.filter(told_at=row.told_at).update(due_at=None, patient_id=None, **done):
        mine.update(**done)


def _put_off(row: Rescoring, error: CdsError | ScoringError) -> None:
    """What may work later is tried again, later each time; what never will is kept for the administrator, without the id."""
    lost = row.tries + 1 >= MOST_TRIES or not _may_work_later(error)
    logger.warning("rescoring %s: %s%s", row.pk, type(error).__name__, ", given up" if lost else "")
    mine = Rescoring.objects.filter(pk=row.pk)
    known = {"held_until": None, "failure": str(error)[:200], "tries": F("tries") + 1}
    if lost and mine.filter(told_at=row.told_at).update(due_at=None, patient_id=None, done_at=timezone.now(), **known):
        return
    wait = min(AGAIN * 2**row.tries, LONGEST_WAIT)
    mine.update(due_at=timezone.now() + wait, **known)


def _may_work_later(error: CdsError | ScoringError) -> bool:
    """Required data that could not be had may be there once the EHR answers again, a model once one is approved."""
    if isinstance(error, ScoringError):
        return True
    return error.retry or (isinstance(error, MissingData) and not isinstance(error, ProtectedData))
