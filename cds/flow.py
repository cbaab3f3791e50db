"""The main line; read it first. `gather` gave the context; `decide` opens an assessment and waits for it a little."""

from __future__ import annotations

import logging

from django.db import transaction
from django.utils import timezone

from cds import doorbell, tasks
from cds.context import PatientContext
from cds.models import Assessment, Ehr, EnabledService
from cds.service import DecisionService
from scoring import shelf

logger = logging.getLogger(__name__)


def decide(
    *, service: DecisionService, here: EnabledService, context: PatientContext, wait: float = 0.0, asker: str = ""
) -> Assessment:
    """Open an assessment, queue it, and give it `wait` seconds to finish.

    `here`: how the service runs at this EHR. The same facts, versions and threshold on the same local day have one
    assessment: the second asker gets its answer; but in a restricted chart every `asker` has one of their own.
    """
    apart = asker if context.patient.restricted else ""
    assessment, fresh = open_assessment(service=service, here=here, context=context, apart=apart)
    if assessment.settled:
        return assessment
    with doorbell.listening(str(assessment.id)) as bell:
        if fresh:
            transaction.on_commit(lambda: enqueue(assessment))
        if wait and doorbell.worker_alive():
            bell.wait(wait)
    assessment.refresh_from_db(fields=["status", "result", "failure"])
    return assessment


def open_assessment(
    *, service: DecisionService, here: EnabledService, context: PatientContext, apart: str = ""
) -> tuple[Assessment, bool]:
    """The row of this fingerprint, and whether it must be queued: it is new, or its last try failed."""
    ehr = here.ehr
    threshold = service.threshold if here.threshold is None else here.threshold
    model_version = shelf.active_version(service.model) if service.model else ""
    assessment, created = Assessment.objects.defer("snapshot").get_or_create(
        ehr=ehr,
        service_id=service.id,
        fingerprint=context.fingerprint(service.id, service.version, model_version, str(threshold), apart),
        defaults={
            "service_version": service.version,
            "model_version": model_version,
            "threshold": threshold,
            "patient_key": ehr.pseudonym(context.patient.id),
            "snapshot": context.as_json,  # called only for a new row
            "test": ehr.is_invented(context.patient.id),
        },
    )
    return assessment, created or (assessment.status == Assessment.Status.FAILED and _again(assessment))


def _again(assessment: Assessment) -> bool:
    """A failed assessment goes back into the queue, once for all who ask at the same time."""
    failed = Assessment.objects.filter(pk=assessment.pk, status=Assessment.Status.FAILED)
    return bool(failed.update(status=Assessment.Status.QUEUED, queued_at=timezone.now()))


def enabled(ehr: Ehr, service: DecisionService) -> EnabledService:
    """How this service runs at this EHR; one that nobody has set up is silent."""
    row = EnabledService.objects.filter(ehr=ehr, service_id=service.id).first() or EnabledService(service_id=service.id)
    row.ehr = ehr
    return row


def enqueue(assessment: Assessment) -> None:
    """Hand it to a worker. A queue that is down loses nothing: the row stays queued and is picked up later."""
    try:
        tasks.assess.apply_async((str(assessment.id),), retry=False)
    except tasks.QueueDown as error:
        logger.error("the queue is down (%s); assessment %s stays queued", type(error).__name__, assessment.id)
