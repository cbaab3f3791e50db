"""Public, without any patient: the front page, each service's rules, our keys."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from cds import keys, registry
from cds.errors import UnknownService


@require_GET
def front(request: HttpRequest) -> HttpResponse:
    demo = settings.DEMO_EHR_URL if settings.DEMO_EHR else ""
    return render(request, "smartapp/front.html", {"services": registry.all_services(), "demo": demo})


@require_GET
def service(request: HttpRequest, service_id: str) -> HttpResponse:
    """The rules, for a clinician to review."""
    try:
        found = registry.get(service_id)
    except UnknownService as error:
        raise Http404("no such service") from error
    return render(request, "smartapp/service.html", {"service": found})


@require_GET
def jwks(request: HttpRequest) -> HttpResponse:
    """Our public keys, for the EHRs where we sign (SMART App Launch 2.2, "Registering a client")."""
    response = JsonResponse(keys.public_keys())
    response["Cache-Control"] = f"public, max-age={int(keys.CACHED.total_seconds())}"
    return response
