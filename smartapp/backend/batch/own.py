"""A caller's own batches: where they are, and that for everybody else they are not."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.urls import reverse
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from smartapp.backend.api import caller
from smartapp.backend.models import Batch


def own(request: Request, batch_id: uuid.UUID) -> Batch:
    """One that this caller has not deleted and whose time is not over."""
    mine = Batch.objects.select_related("run__ehr").filter(client=caller(request), deleted_at=None)
    batch = mine.filter(pk=batch_id).first()
    if batch is None or batch.expired:
        raise NotFound("There is no such batch.")
    return batch


def address(batch: Batch) -> str:
    """By the address that we are known by, never one made from the Host header."""
    return f"{settings.BASE_URL}{reverse('batch', args=[batch.pk])}"
