"""The main line; read it first. `gather` gave the context; `decide` opens an assessment and waits for it a little."""

from __future__ import annotations

import logging
import time

from django.db import transaction
from django.db.models import UUIDField

from cds import doorbell, tasks
from cds.context import PatientContext
from cds.models import Assessment, EnabledService
from cds.opening import enabled, enabled_for, open_assessment
from cds.prepared import Question
from cds.service import DecisionService

__all__ = ["decide", "enabled", "enabled_for", "enqueue", "open_assessment"]

logger = logging.getLogger(__name__)

_finished = Question(
    lambda pk: Assessment.objects.filter(pk=pk).only("status", "result", "failure", "retracted_at", "retraction"),
    pk=UUIDField(),
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
            _wait(assessment, bell, wait)
        else:
            _look_at(assessment)
    return assessment


def _wait(assessment: Assessment, bell: doorbell.Bell, seconds: float) -> None:
    """Until a worker is done with it, or the time is up."""
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        if bell.wait(min(left, doorbell.LOOK_AGAIN_SECONDS)):
            bell.clear()
        _look_at(assessment)
        if assessment.status != Assessment.Status.QUEUED:
            return


def _look_at(assessment: Assessment) -> None:
    for now in _finished(pk=assessment.pk):
        assessment.status, assessment.result, assessment.failure = now.status, now.result, now.failure
        assessment.retracted_at, assessment.retraction = now.retracted_at, now.retraction


def enqueue(assessment: Assessment) -> None:
    """Hand it to a worker. A queue that is down loses nothing: the row stays queued and is picked up later."""
    try:
        if doorbell.knock():
            tasks.assess.apply_async((str(assessment.id),), retry=False)
    except tasks.QueueDown as error:
        logger.error("the queue is down (%s); assessment %s stays queued", type(error).__name__, assessment.id)
