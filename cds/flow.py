"""The main line; read it first. `gather` gave the context; `decide` opens an assessment and waits for it a little."""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import CharField, IntegerField, UUIDField
from django.utils import timezone

from cds import assess as verb
from cds import doorbell, tasks
from cds.context import PatientContext
from cds.models import Assessment, Ehr, EnabledService
from cds.prepared import Question, insert_unless_there
from cds.service import DecisionService
from scoring import shelf

logger = logging.getLogger(__name__)

_known = Question(
    lambda ehr, service_id, fingerprint: Assessment.objects.filter(
        ehr=ehr, service_id=service_id, fingerprint=fingerprint
    ).defer("snapshot"),
    ehr=IntegerField(),
    service_id=CharField(),
    fingerprint=CharField(),
)
_finished = Question(lambda pk: Assessment.objects.filter(pk=pk).only("status", "result", "failure"), pk=UUIDField())
_enabled = Question(
    lambda ehr, service_id: EnabledService.objects.filter(ehr=ehr, service_id=service_id),
    ehr=IntegerField(),
    service_id=CharField(),
)


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
    for now in _finished(pk=assessment.pk):
        assessment.status, assessment.result, assessment.failure = now.status, now.result, now.failure
    return assessment


def open_assessment(
    *, service: DecisionService, here: EnabledService, context: PatientContext, apart: str = ""
) -> tuple[Assessment, bool]:
    """The row of this fingerprint, and whether it must be queued: it is new, or its last try failed."""
    ehr = here.ehr
    threshold = service.threshold if here.threshold is None else here.threshold
    model_version = shelf.active_version(service.model) if service.model else ""
    fingerprint = verb.fingerprint(service, context, model_version=model_version, threshold=threshold, apart=apart)
    key = {"ehr": ehr.pk, "service_id": service.id, "fingerprint": fingerprint}
    known = _known(**key)
    if not known:
        fresh = verb.ticket(ehr, service, context, model_version=model_version, threshold=threshold, key=fingerprint)
        if insert_unless_there(fresh):
            return fresh, True
        known = _known(**key)  # another request was quicker
    (assessment,) = known
    assessment.ehr = ehr
    return assessment, assessment.status == Assessment.Status.FAILED and _again(assessment)


def _again(assessment: Assessment) -> bool:
    """A failed assessment goes back into the queue, once for all who ask at the same time."""
    failed = Assessment.objects.filter(pk=assessment.pk, status=Assessment.Status.FAILED)
    return bool(failed.update(status=Assessment.Status.QUEUED, queued_at=timezone.now()))


def enabled(ehr: Ehr, service: DecisionService) -> EnabledService:
    """How this service runs at this EHR; one that nobody has set up is silent."""
    (row,) = _enabled(ehr=ehr.pk, service_id=service.id) or [EnabledService(service_id=service.id)]
    row.ehr = ehr
    return row


def enqueue(assessment: Assessment) -> None:
    """Hand it to a worker. A queue that is down loses nothing: the row stays queued and is picked up later."""
    try:
        if doorbell.knock():
            tasks.assess.apply_async((str(assessment.id),), retry=False)
    except tasks.QueueDown as error:
        logger.error("the queue is down (%s); assessment %s stays queued", type(error).__name__, assessment.id)
