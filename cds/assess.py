"""Assess: queued assessments become done ones. The only place where a service meets its model."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import Case, DateTimeField, UUIDField, When
from django.utils import timezone

from cds import audit, registry
from cds.context import PatientContext
from cds.fields import opened
from cds.finding import Outcome
from cds.models import Assessment, AuditEntry, Ehr
from cds.prepared import Question, update
from cds.service import DecisionService
from scoring import shelf

logger = logging.getLogger(__name__)

LOST_AFTER = timedelta(seconds=15)
EXPIRED_AFTER = timedelta(hours=24)
AT_ONCE = 16  # more would make the first of them wait for the last

_queued = Question(
    # The one that was named, then the newest: somebody may still be waiting for it at the door.
    lambda first, since: (
        Assessment.objects.filter(status=Assessment.Status.QUEUED, created_at__gt=since)
        .order_by(Case(When(pk=first, then=0), default=1), "-queued_at")
        .select_for_update(skip_locked=True, no_key=True)[:AT_ONCE]
    ),
    as_stored=("snapshot",),
    first=UUIDField(),
    since=DateTimeField(),
)


@transaction.atomic
def assess(assessment_id: str) -> list[str]:
    """Score this one and others that wait, up to `AT_ONCE`; the ids of those that have their answer now.

    Their rows are locked until all answers and their lines in the audit trail stand: another worker leaves them alone,
    and a second message, or one that comes late, finds nothing to do. What is too old to be news is left to expire.
    """
    found = _queued(first=UUID(assessment_id), since=timezone.now() - EXPIRED_AFTER)
    for assessment in found:
        _settle(assessment)
    if found:
        update(found, "status", "finished_at", "result", "failure", told=list(map(noted, found)))
    return [str(assessment.pk) for assessment in found]


def _settle(assessment: Assessment) -> None:
    try:
        assessment.snapshot = assessment.snapshot and opened(assessment.snapshot)
        assessment.result = msgspec.json.encode(answer(assessment))
        assessment.status = Assessment.Status.DONE
    except Exception as error:  # the outermost edge of the work: whatever a plug-in raises becomes a visible failure
        logger.exception("assessment %s failed", assessment.pk)
        assessment.status, assessment.failure = Assessment.Status.FAILED, type(error).__name__
    assessment.finished_at = timezone.now()


def noted(assessment: Assessment) -> AuditEntry:
    """Its line in the audit trail."""
    return audit.entry(
        "predict",
        actor=audit.US,
        ehr_id=assessment.ehr_id,
        patient_key=assessment.patient_key,
        subject=str(assessment.pk),
        service=f"{assessment.service_id} {assessment.service_version}",
        model=assessment.model_version,
        status=assessment.status,
    )


def ticket(
    ehr: Ehr, service: DecisionService, context: PatientContext, *, model_version: str, threshold: float, key: str
) -> Assessment:
    """A new row, not stored yet; `key` is its fingerprint."""
    return Assessment(
        ehr=ehr,
        service_id=service.id,
        fingerprint=key,
        service_version=service.version,
        model_version=model_version,
        threshold=threshold,
        patient_key=ehr.pseudonym(context.patient.id),
        snapshot=context.as_json(),
        test=ehr.is_invented(context.patient.id),
    )


def answer(assessment: Assessment) -> Outcome:
    """Deterministic: the stored facts, the service's code and the recorded version of the model, approved or retired
    since, give the same answer again."""
    service = registry.get(assessment.service_id)
    model = shelf.get(service.model, assessment.model_version) if service.model else None
    return service.assess(assessment.context, model=model, threshold=assessment.threshold)


def fingerprint(
    service: DecisionService, context: PatientContext, *, model_version: str, threshold: float, apart: str = ""
) -> str:
    """What makes two questions the same: the facts, the local day, the versions, the threshold; `apart` sets one aside."""
    return context.fingerprint(service.id, service.version, model_version, str(threshold), apart)


def lost() -> list[str]:
    """The ids of assessments that nobody has finished in time, marked as queued just now; too old ones expire."""
    now = timezone.now()
    stale = Assessment.objects.filter(status=Assessment.Status.QUEUED, queued_at__lt=now - LOST_AFTER)
    expired = stale.filter(created_at__lt=now - EXPIRED_AFTER).update(status=Assessment.Status.EXPIRED, finished_at=now)
    if expired:
        logger.error("%d assessments were never answered and have expired", expired)
        audit.record("expire", actor=audit.US, assessments=expired)
    ids = [str(pk) for pk in stale.values_list("pk", flat=True)[:500]]
    Assessment.objects.filter(pk__in=ids).update(queued_at=now)
    return ids
