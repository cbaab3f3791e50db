"""Every error leaves as an OperationOutcome without a value of a patient's, a refusal also with what RFC 6750 asks for."""

from __future__ import annotations

import logging
from math import ceil
from typing import Any, NamedTuple

from django.db import DatabaseError
from django.http import Http404
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
    PermissionDenied,
    Throttled,
)
from rest_framework.response import Response

from cds import audit
from cds.errors import BadInput, CdsError
from cds.fhir.versions import FHIR_JSON
from scoring.errors import ScoringError
from smartapp.backend.models import BackendClient

logger = logging.getLogger(__name__)

# issue-type of FHIR R4 for each status.
_CODES = {400: "invalid", 401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported", 409: "conflict"}
_CODES |= {410: "deleted"}
_CODES |= {411: "required", 413: "too-long", 415: "not-supported", 429: "throttled", 503: "transient"}
_REALM = 'Bearer realm="bedside"'


class Issue(NamedTuple):
    """One entry of an OperationOutcome; `place`: where in what was sent, in FHIRPath or as a JSON path."""

    code: str
    text: str
    place: str = ""


class Unusable(BadInput):
    """What was sent cannot be used, for these reasons, all of them told at once."""

    def __init__(self, *issues: Issue) -> None:
        super().__init__("; ".join(issue.text for issue in issues))
        self.issues = issues


class InsufficientScope(PermissionDenied):
    """RFC 6750, 3.1: the token is good, and opens something else. `needed` is one scope that would do."""

    def __init__(self, needed: str) -> None:
        super().__init__("The token does not open this.")
        self.needed = needed


class Busy(APIException):
    """Not now; `wait` in seconds."""

    status_code = 503

    def __init__(self, said: str, *, wait: int) -> None:
        super().__init__(said)
        self.wait = wait


def answered(error: Exception, context: dict[str, Any]) -> Response | None:
    """Django REST framework's exception handler for our API."""
    try:
        _note(error, context)
    except DatabaseError as down:
        error = down
    return _answer(error, allowed=context["view"].allowed_methods)


def _answer(error: Exception, *, allowed: list[str]) -> Response | None:
    if isinstance(error, Unusable):
        return outcome(400, *error.issues)
    if isinstance(error, CdsError):
        return outcome(error.status, _said(error.status, str(error)))
    if isinstance(error, ScoringError):
        logger.error("no model to score with: %s", error)
        return outcome(503, _said(503, "The model is not available; an administrator has been told."))
    if isinstance(error, DatabaseError):
        logger.error("the database does not answer: %s", type(error).__name__)
        return outcome(503, _said(503, "The service cannot store its answers just now. Try again later."))
    if isinstance(error, Http404):
        return outcome(404, _said(404, "There is nothing at this address."))
    if isinstance(error, APIException):
        headers = _headers(error) | ({"Allow": ", ".join(allowed)} if error.status_code == 405 else {})
        return outcome(error.status_code, _said(error.status_code, str(error.detail)), headers=headers)
    return None


def outcome(status: int, *issues: Issue, headers: dict[str, str] | None = None) -> Response:
    found = {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error" if status >= 400 else "information",
                "code": issue.code,
                "diagnostics": issue.text,
                **({"expression": [issue.place]} if issue.place else {}),
            }
            for issue in issues
        ],
    }
    return Response(found, status=status, headers=headers, content_type=FHIR_JSON)


def _said(status: int, text: str) -> Issue:
    return Issue(_CODES.get(status, "exception"), text)


def _headers(error: APIException) -> dict[str, str]:
    """WWW-Authenticate (RFC 6750, 3), Retry-After."""
    if isinstance(error, NotAuthenticated):
        return {"WWW-Authenticate": _REALM}
    if isinstance(error, AuthenticationFailed):
        return {"WWW-Authenticate": f'{_REALM}, error="invalid_token"'}
    if isinstance(error, InsufficientScope):
        return {"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{error.needed}"'}
    if isinstance(error, Busy | Throttled):
        return {"Retry-After": str(ceil(getattr(error, "wait", None) or 1))}
    return {}


def _note(error: Exception, context: dict[str, Any]) -> None:
    """Whom we refused, where and why; nothing of what was sent."""
    status = getattr(error, "status", getattr(error, "status_code", 0))
    if status not in {400, 401, 403, 413, 415, 429}:
        return
    client: BackendClient | None = context["view"].client
    operation: str = context["view"].operation
    reason = _reason(error)
    logger.warning("%s was refused with %s: %s", operation, status, reason)
    audit.record(
        "refusal",
        actor=client.actor if client else "unknown",
        ehr=client.ehr if client else None,
        subject=operation,
        status=status,
        reason=reason,
    )


def _reason(error: Exception) -> str:
    """For the log: of what is wrong with what was sent only the kinds, as the text may hold a value."""
    if isinstance(error, Unusable):
        return ", ".join(sorted({issue.code for issue in error.issues}))[:200]
    return str(error)[:200] if isinstance(error, CdsError) else type(error).__name__
