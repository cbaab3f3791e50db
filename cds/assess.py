"""Assess: a queued assessment becomes a done one. The only place where a service meets its model."""

from __future__ import annotations

import logging
from datetime import timedelta

import msgspec
from django.db import transaction
from django.utils import timezone

from cds import audit, registry
from cds.finding import Outcome
from cds.models import Assessment
from scoring import shelf

logger = logging.getLogger(__name__)

LOST_AFTER = timedelta(seconds=15)
EXPIRED_AFTER = timedelta(hours=24)


def assess(assessment_id: str) -> None:
    """Score it once. A second message, or one that comes after it was done, changes nothing."""
    queued = Assessment.objects.filter(pk=assessment_id, status=Assessment.Status.QUEUED)
    assessment = queued.select_related("ehr").first()
    if assessment is None:
        return
    try:
        outcome = answer(assessment)
    except Exception as error:  # the outermost edge of the work: whatever a plug-in raises becomes a visible failure
        logger.exception("assessment %s failed", assessment_id)
        _finish(assessment, status=Assessment.Status.FAILED, failure=type(error).__name__)
    else:
        _finish(assessment, status=Assessment.Status.DONE, result=msgspec.json.encode(outcome))


def answer(assessment: Assessment) -> Outcome:
    """Deterministic: the stored facts, the service's code and the recorded version of the model, approved or retired
    since, give the same answer again."""
    service = registry.get(assessment.service_id)
    model = shelf.get(service.model, assessment.model_version) if service.model else None
    return service.assess(assessment.context, model=model, threshold=assessment.threshold)


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


def _finish(assessment: Assessment, *, status: str, **fields: object) -> None:
    """The answer and its line in the audit trail: both or none, and once if two workers had the same message."""
    queued = Assessment.objects.filter(pk=assessment.pk, status=Assessment.Status.QUEUED)
    with transaction.atomic():
        if not queued.update(status=status, finished_at=timezone.now(), **fields):
            return
        audit.record(
            "predict",
            actor=audit.US,
            ehr=assessment.ehr,
            patient_key=assessment.patient_key,
            subject=str(assessment.pk),
            service=f"{assessment.service_id} {assessment.service_version}",
            model=assessment.model_version,
            status=status,
        )
