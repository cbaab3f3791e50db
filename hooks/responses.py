"""Writes what leaves through the CDS Hooks door: valid or not at all; no null, no empty array, no empty object."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import Http404
from rest_framework.exceptions import APIException
from rest_framework.response import Response

from cds.cards import Card, OverrideReason, Suggestion
from cds.codes import OURS
from cds.errors import CdsError
from cds.fhir.elements import Resource
from cds.fhir.versions import R4, Version
from cds.fhir.write import order_as_fhir
from cds.finding import Estimate
from cds.models import Assessment, Ehr
from cds.needs import Need
from cds.service import DecisionService
from hooks.library import HOOKS
from scoring.errors import ScoringError

logger = logging.getLogger(__name__)


def services_as_json(
    services: Mapping[DecisionService, tuple[Need, ...]], *, version: str, fhir: Version = Version.R4
) -> dict[str, Any]:
    """Discovery: an entry for each service and hook; one id on several hooks is one endpoint.

    With each service what is needed beside its own needs. `version` is that of CDS Hooks, `fhir` that of the record.
    """
    return {
        "services": [
            _service(service, hook, (*service.needs, *(also if HOOKS[hook].may_name_encounter else ())), version, fhir)
            for service, also in services.items()
            for hook in service.hooks
        ]
    }


def _service(
    service: DecisionService, hook: str, needs: tuple[Need, ...], version: str, fhir: Version
) -> dict[str, Any]:
    """The prefetch templates are derived from the needs; the versions are said from CDS Hooks 3.0 on."""
    entry = {
        "hook": hook,
        "id": service.id,
        "title": service.title,
        "description": service.description,
        "prefetch": {need.key: fhir.asks(need).template for need in needs},
        "usageRequirements": "Prefetch, or FHIR read access to the resources that the prefetch templates name.",
    }
    if version == Ehr.HooksVersion.V3_0:
        entry |= {"version": "3.0.0-ballot", "hookVersion": HOOKS[hook].version}
    return entry


def cards_as_json(
    cards: list[Card], *, service: DecisionService, ehr: Ehr, assessment: Assessment | None
) -> dict[str, Any]:
    return {"cards": [card_as_json(card, service=service, ehr=ehr, assessment=assessment) for card in cards]}


def system_actions_as_json(resources: list[Resource]) -> dict[str, Any]:
    """CDS Hooks 2.0.1, "System Action": for the EHR to carry out by itself; no member at all where there is none."""
    actions = [
        {"type": "create", "description": "Keep the estimate in the chart, as preliminary", "resource": resource}
        for resource in resources
    ]
    return {"systemActions": actions} if actions else {}


def card_as_json(card: Card, *, service: DecisionService, ehr: Ehr, assessment: Assessment | None) -> dict[str, Any]:
    """CDS Hooks 2.0.1, "Card Attributes"; a member without value is left out."""
    found = {
        "uuid": card.uuid,
        "summary": card.summary,
        "indicator": card.indicator,
        "detail": card.detail,
        "source": {
            "label": f"{'TEST SYSTEM, ' if ehr.is_test else ''}{card.source}: {service.title}",
            "url": f"{settings.BASE_URL}/services/{service.id}",
            "topic": {"system": f"{OURS}/topic", "code": service.id, "display": service.title},
        },
        "suggestions": [_suggestion(suggestion, ehr) for suggestion in card.suggestions],
        "selectionBehavior": "at-most-one" if card.suggestions else None,
        "overrideReasons": [_reason(reason) for reason in card.override_reasons],
        "links": _links(assessment) if assessment else [],
    }
    return {name: value for name, value in found.items() if value}


def _suggestion(suggestion: Suggestion, ehr: Ehr) -> dict[str, Any]:
    order = order_as_fhir(suggestion.order, (ehr.dialect or R4).version)
    action = {"type": "create", "description": suggestion.label, "resource": order}
    return {"label": suggestion.label, "uuid": suggestion.uuid, "isRecommended": True, "actions": [action]}


def _reason(reason: OverrideReason) -> dict[str, str]:
    return {"system": reason.code.system, "code": reason.code.code, "display": reason.display}


def _links(assessment: Assessment) -> list[dict[str, str]]:
    """Our SMART launch, where the app finds the assessment through the token response's appContext; and, where a model
    spoke, what is known of that version of it (ONC HTI-1, 45 CFR 170.315(b)(11): its source attributes are one step away).
    """
    why = {
        "label": "See why",
        "url": f"{settings.BASE_URL}/launch",
        "type": "smart",
        "appContext": f"assessment={assessment.id}",
    }
    said: Estimate | None = getattr(assessment.outcome, "estimate", None)
    if said is None:
        return [why]
    model = f"{settings.BASE_URL}/models/{said.model}/{said.version}"
    return [why, {"label": "About the model", "url": model, "type": "absolute"}]


def as_operation_outcome(error: Exception, context: dict[str, Any]) -> Response | None:
    """Django REST framework's exception handler: every error leaves as an OperationOutcome without PHI."""
    if isinstance(error, CdsError):
        logger.info("answered %s: %s", error.status, type(error).__name__)
        if error.status == 401:
            return Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        return _outcome(error.status, str(error))
    if isinstance(error, ScoringError):
        logger.error("no model to score with: %s", error)
        return _outcome(503, "The model is not available; an administrator has been told.")
    if isinstance(error, DatabaseError):
        logger.error("the database does not answer: %s", type(error).__name__)
        return _outcome(503, "The service cannot store its answers just now. Try again later.")
    if isinstance(error, Http404):
        return _outcome(404, "There is nothing at this address.")
    if isinstance(error, APIException):
        return _outcome(error.status_code, str(error.detail))
    return None


_CODES = {
    400: "invalid",
    404: "not-found",
    405: "not-supported",
    412: "processing",
    413: "too-long",
    415: "not-supported",
}  # of FHIR's issue types


def _outcome(status: int, diagnostics: str) -> Response:
    code = _CODES.get(status, "exception")
    issue = {"severity": "error", "code": code, "diagnostics": diagnostics}
    return Response({"resourceType": "OperationOutcome", "issue": [issue]}, status=status)
