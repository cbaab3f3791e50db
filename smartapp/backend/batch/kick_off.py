"""POST /api/fhir/$score-batch: whoever may ask and has not asked too often gets an address to look at later."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

from django.db import transaction
from django.utils import timezone
from rest_framework.exceptions import NotFound, Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from cds import tasks
from cds.formats import Body
from cds.models import Ehr, PopulationRun
from cds.population import open_run
from smartapp.backend.api import Api, caller
from smartapp.backend.batch import question
from smartapp.backend.batch.arriving import Arriving, arriving
from smartapp.backend.batch.own import address
from smartapp.backend.formats import FhirBody
from smartapp.backend.models import BackendClient, Batch
from smartapp.backend.predict import service_called, shown
from smartapp.backend.refusals import Issue, Unusable
from smartapp.backend.scopes import SCORE_BATCH
from smartapp.backend.spec import score_batch

DAY = timedelta(days=1)
ONE_AT_A_TIME_SECONDS = 60


@score_batch
class ScoreBatch(Api):
    operation = "score-batch"
    scopes = (SCORE_BATCH,)
    parser_classes = (
        question.NdjsonBody,
        question.PlainNdjsonBody,
        question.Gzipped,
        question.FormBody,
        FhirBody,
        Body,
    )

    def post(self, request: Request) -> Response:
        client = caller(request)
        _require_asynchronous(request)
        _require_room(client)
        with arriving(most_patients=client.patients_per_batch) as upload:
            asked = question.read(request, upload)
            batch = _begin(client, asked, upload)
        return Response(status=202, headers={"Content-Location": address(batch)})


def _require_asynchronous(request: Request) -> None:
    """R4 async: without it the answer would have to come at once."""
    preferences = {part.strip() for part in request.headers.get("Prefer", "").lower().split(",")}
    if "respond-async" not in preferences:
        raise Unusable(Issue("required", "a batch is answered later only: send Prefer: respond-async"))


@transaction.atomic
def _begin(client: BackendClient, asked: question.Question, upload: Arriving) -> Batch:
    """The row, and the records where the worker looks for them; of two calls at once the quota counts both."""
    _require_room(BackendClient.objects.select_for_update().get(pk=client.pk))
    service = service_called(asked.service)
    shown(client.ehr, service)
    if asked.group:
        _require_opened(client.ehr, asked.group)
    source, actor = (PopulationRun.Source.EXPORT if asked.group else PopulationRun.Source.UPLOAD), client.actor
    run = open_run(
        service,
        source=source,
        detail=asked.group,
        ehr=client.ehr,
        writes=False,
        client=actor,
        most_patients=client.patients_per_batch,
        asked_by=actor,
    )
    batch = Batch.objects.create(client=client, run=run)
    transaction.on_commit(lambda: tasks.sweep_soon(run))
    if not asked.group:
        upload.move_to(run.spool)
    return batch


def _require_opened(ehr: Ehr, group: str) -> None:
    """Our own access at the EHR reads more than a caller may see: an administrator says which groups it may name."""
    if not ehr.system_client_id or group not in ehr.population_groups.split():
        raise NotFound("There is no such group that is open to callers.")


def _require_room(client: BackendClient) -> None:
    """One at a time, and so many a day: a population takes hours, and others wait in the same queue."""
    if client.batches.filter(run__state__in=PopulationRun.UNDER_WAY, deleted_at=None).exists():
        raise Throttled(wait=ONE_AT_A_TIME_SECONDS, detail="Another batch of this caller is under way.")
    now = timezone.now()
    begun = client.batches.filter(created_at__gt=now - DAY).order_by("-created_at").values_list("created_at", flat=True)
    latest = list(begun[: client.batches_per_day])
    if len(latest) == client.batches_per_day:
        wait = ceil((latest[-1] + DAY - now).total_seconds()) if latest else DAY.total_seconds()
        raise Throttled(wait=wait, detail="This caller has begun as many batches as it may in 24 hours.")
