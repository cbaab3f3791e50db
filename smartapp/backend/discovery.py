"""Public, without any patient: how to get a token, and what there is to ask."""

from __future__ import annotations

import logging

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from cds.fhir.versions import FHIR_JSON
from smartapp.backend.models import KEY_TYPES
from smartapp.backend.scopes import WORDS
from smartapp.backend.server import issue, token_url

logger = logging.getLogger(__name__)

CACHED_SECONDS = 3600


@csrf_exempt
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """SMART App Launch 2.2, "Backend Services"; see smartapp.backend.server."""
    try:
        return issue(request)
    except DatabaseError as error:
        logger.error("the database does not answer: %s", type(error).__name__)
        return JsonResponse({"error": "temporarily_unavailable"}, status=503, headers={"Cache-Control": "no-store"})


@csrf_exempt
def nothing_here(request: HttpRequest) -> HttpResponse:
    """Machines are told in their own words, not by a page for people."""
    issue = {"severity": "error", "code": "not-found", "diagnostics": "There is nothing at this address."}
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    return JsonResponse(outcome, status=404, content_type=FHIR_JSON, headers={"Cache-Control": "no-store"})


@csrf_exempt
@require_safe
def smart_configuration(request: HttpRequest) -> HttpResponse:
    """SMART App Launch 2.2, "Conformance". There is no authorization end point: no user ever logs in here."""
    found = {
        "token_endpoint": token_url(),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(KEY_TYPES),
        "scopes_supported": list(WORDS),
        "capabilities": ["client-confidential-asymmetric", "permission-v2"],
        "code_challenge_methods_supported": ["S256"],
    }
    return JsonResponse(found, headers={"Cache-Control": f"public, max-age={CACHED_SECONDS}"})
