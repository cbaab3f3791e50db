"""What our FHIR API says of itself: CapabilityStatement and OperationDefinition (R4)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from cds.fhir.versions import FHIR_JSON
from smartapp.backend.discovery import CACHED_SECONDS
from smartapp.backend.formats import NDJSON
from smartapp.backend.server import token_url

CHANGED = "2026-11-26"  # what is said here, for the last time
OPERATION = "score-batch"
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SERVICES = "http://terminology.hl7.org/CodeSystem/restful-security-service"


@require_safe
def metadata(_request: HttpRequest) -> HttpResponse:
    """R4 http, "capabilities"; public."""
    return _said(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": CHANGED,
            "kind": "instance",
            "software": {"name": "Bedside", "version": settings.SPECTACULAR_SETTINGS["VERSION"]},
            "implementation": {"description": "Risks of a population, answered later", "url": _base()},
            "fhirVersion": "4.0.1",
            "format": [FHIR_JSON, NDJSON],
            "rest": [
                {
                    "mode": "server",
                    "documentation": "No resource can be read or searched: there is one operation, answered by the "
                    "asynchronous pattern.",
                    "security": _security(),
                    "operation": [{"name": OPERATION, "definition": _definition()}],
                }
            ],
        }
    )


@require_safe
def operation(_request: HttpRequest) -> HttpResponse:
    """What `$score-batch` takes and gives."""
    return _said(
        {
            "resourceType": "OperationDefinition",
            "id": OPERATION,
            "url": _definition(),
            "name": "ScoreBatch",
            "title": "Score a population",
            "status": "active",
            "kind": "operation",
            "date": CHANGED,
            "description": "Asynchronous alone (Prefer: respond-async). The manifest names a file of RiskAssessments, "
            "and one of OperationOutcomes for everybody else.",
            "affectsState": True,
            "code": OPERATION,
            "system": True,
            "type": False,
            "instance": False,
            "parameter": [
                _in("service", "string", "A decision service's id; by default the first with a model."),
                _in("group", "Reference", "A Group at the EHR that is open to callers, instead of input."),
                _in("input", "Binary", "NDJSON, a FHIR resource a line, gzipped or not.", most="*"),
                _in("_outputFormat", "string", f"{NDJSON}, and nothing else."),
            ],
        }
    )


def _in(name: str, kind: str, documentation: str, *, most: str = "1") -> dict[str, Any]:
    return {"name": name, "use": "in", "min": 0, "max": most, "documentation": documentation, "type": kind}


def _security() -> dict[str, Any]:
    token = {"url": _OAUTH_URIS, "extension": [{"url": "token", "valueUri": token_url()}]}
    coding = {"system": _SERVICES, "code": "SMART-on-FHIR"}
    words = f"SMART Backend Services; see {_base()}/.well-known/smart-configuration"
    return {"extension": [token], "service": [{"coding": [coding]}], "description": words}


def _base() -> str:
    return f"{settings.BASE_URL}/api/fhir"


def _definition() -> str:
    return f"{settings.BASE_URL}{reverse('score-batch-definition')}"


def _said(resource: dict[str, Any]) -> HttpResponse:
    headers = {"Cache-Control": f"public, max-age={CACHED_SECONDS}"}
    return JsonResponse(resource, content_type=FHIR_JSON, headers=headers)
