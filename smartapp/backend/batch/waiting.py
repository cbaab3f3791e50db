"""How far a batch is, and in the end its manifest; DELETE stops it, or lets its results go."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.http import http_date
from redis.exceptions import RedisError
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from cds import audit, population, tasks
from cds.errors import Gone
from cds.models import PopulationRun
from smartapp.backend.api import Api, caller
from smartapp.backend.batch.files import KINDS, lines_in
from smartapp.backend.batch.own import address, own
from smartapp.backend.models import Batch
from smartapp.backend.refusals import Issue, outcome
from smartapp.backend.scopes import READ_RESULTS, SCORE_BATCH
from smartapp.backend.spec import batch_status

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 5  # as a waiting caller is told
SOONEST_SECONDS = 1  # between two looks
State = PopulationRun.State


@batch_status
class Waiting(Api):
    operation = "batch-status"
    scopes = (SCORE_BATCH, READ_RESULTS)

    def get(self, request: Request, batch_id: uuid.UUID) -> Response:
        batch = own(request, batch_id)
        match batch.run.state:
            case State.DONE:
                headers = {"Expires": http_date(batch.expires_at.timestamp())} if batch.expires_at else {}
                return Response(_manifest(batch), headers=headers)
            case State.FAILED:
                return outcome(500, Issue("exception", _why(batch.run)))
            case State.CANCELLED:
                raise Gone("The batch was cancelled by an administrator.")
        _require_patience(batch)
        return Response(status=202, headers={"X-Progress": _progress(batch.run), "Retry-After": str(AGAIN_SECONDS)})

    def delete(self, request: Request, batch_id: uuid.UUID) -> Response:
        """The worker sees it between two blocks of patients, and clears away what it has read."""
        batch, client = own(request, batch_id), caller(request)
        batch.deleted_at = timezone.now()
        batch.save(update_fields=["deleted_at"])
        audit.record("batch-delete", actor=client.actor, ehr=client.ehr, subject=str(batch.run_id))
        if population.cancel(batch.run, why="deleted by its caller", actor=client.actor):
            transaction.on_commit(lambda: tasks.sweep_soon(batch.run))
        else:
            population.let_go(batch.run)
        return Response(status=202)


def _manifest(batch: Batch) -> dict[str, Any]:
    """Bulk Data Access 3.0.0, "Response - Complete Status"."""
    run = batch.run
    output, error = (_file(batch, kind) for kind in KINDS)
    return {
        "transactionTime": _instant(run.as_of),
        "request": f"{settings.BASE_URL}{reverse('score-batch')}?{urlencode(_asked(run))}",
        "requiresAccessToken": True,
        "output": output,
        "error": error,
    }


def _asked(run: PopulationRun) -> dict[str, str]:
    return {"service": run.service_id, **({"group": run.detail} if run.detail else {})}


def _file(batch: Batch, kind: str) -> list[dict[str, Any]]:
    """None where there would be nothing in it."""
    count = lines_in(batch.run, kind)
    return [{"type": kind, "url": f"{address(batch)}/{kind}.ndjson", "count": count}] if count else []


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _progress(run: PopulationRun) -> str:
    """For people; fewer than 100 characters."""
    if run.state == State.SCORING and run.patients is not None:
        return f"{run.done} of {run.patients} patients"
    return str(run.get_state_display())


def _why(run: PopulationRun) -> str:
    """As it stands in the run, without a path of ours."""
    return f"The batch stopped: {run.error.replace(str(run.spool), 'the upload') or 'for a reason that is not known'}"


def _require_patience(batch: Batch) -> None:
    """While the cache is down nobody is counted."""
    try:
        if cache.add(f"backend:batch:{batch.pk}", 1, SOONEST_SECONDS):
            return
    except RedisError as error:
        logger.error("looks at a batch are not counted: %s", type(error).__name__)
        return
    raise Throttled(wait=AGAIN_SECONDS, detail="Asked too soon.")
