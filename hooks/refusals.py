"""Every refusal is written down: whom we refused, where and why; nothing of what was sent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast

from django.db import DatabaseError
from rest_framework.request import Request
from rest_framework.response import Response

from cds import audit, registry
from cds.errors import UnknownService
from cds.models import Ehr
from hooks.responses import as_operation_outcome

logger = logging.getLogger(__name__)

_REFUSED = {400, 401, 403, 413, 415, 429}


def noted_and_answered(error: Exception, context: dict[str, Any]) -> Response | None:
    """Django REST framework's exception handler. A refusal that cannot be written down becomes a 503."""
    try:
        note(error, context["request"], subject=_subject(context["kwargs"]))
    except DatabaseError as down:
        error = down
    return as_operation_outcome(error, context)


def note(error: Exception, request: Request, *, subject: str) -> None:
    status = getattr(error, "status", getattr(error, "status_code", None))
    if status not in _REFUSED:
        return
    ehr = cast("Ehr | None", request.auth) if status != 401 else None  # at 401 nobody has proved to be anybody
    logger.warning("%s was refused with %s: %s", subject, status, error)
    audit.record(
        "refusal",
        actor=f"EHR {ehr.pk}" if ehr else "unknown",
        ehr=ehr,
        subject=subject,
        status=status,
        reason=str(error)[:200],
    )


def _subject(names: Mapping[str, Any]) -> str:
    return "notification" if "token" in names else f"hook {_known(str(names.get('service_id', '')))}"


def _known(service_id: str) -> str:
    """Its id, if there is such a service: what callers make up stays out of the trail."""
    try:
        return registry.get(service_id).id
    except UnknownService:
        return "unknown service" if service_id else "discovery"
