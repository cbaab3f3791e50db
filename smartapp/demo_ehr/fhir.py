"""FHIR R4 over HTTP: requests in, resources and OperationOutcomes out."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from smartapp.demo_ehr import bundles, conformance, interactions
from smartapp.demo_ehr.grants import Grant, grant_of
from smartapp.demo_ehr.interactions import Answer
from smartapp.demo_ehr.outcomes import FhirError, Resource

Handler = Callable[..., Answer]
JSON_TYPES = {"application/fhir+json", "application/json"}


def speaks_fhir(handler: Handler) -> Callable[..., HttpResponse]:
    """Turns an Answer, or the FhirError raised instead, into a response."""

    @csrf_exempt  # nobody's cookie opens this: it asks for a bearer token
    @functools.wraps(handler)
    def view(request: HttpRequest, **names: str) -> HttpResponse:
        try:
            return as_response(handler(request, **names), prefer=request.headers.get("Prefer", ""))
        except FhirError as error:
            response = as_response(Answer(status=error.status, body=error.outcome()))
            if error.status == 401:
                response["WWW-Authenticate"] = "Bearer"
            return response

    return view


def as_response(answer: Answer, *, prefer: str = "") -> HttpResponse:
    silent = answer.body is None or ("return=minimal" in prefer and answer.location)
    response = HttpResponse(
        b"" if silent else json.dumps(answer.body), status=answer.status, content_type="application/fhir+json"
    )
    for name, value in answer.headers.items():
        response[name] = value
    if answer.location:
        response["Location"] = answer.location
    response["Cache-Control"] = "no-store"
    return response


def bearer(request: HttpRequest) -> Grant:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise FhirError(401, "login", "a bearer token is needed")
    return grant_of(token.strip())


def json_of(request: HttpRequest) -> Resource:
    """The resource in the body; 415 or 400 when there is none."""
    if request.content_type not in JSON_TYPES:
        raise FhirError(415, "not-supported", "send application/fhir+json")
    try:
        body: Any = json.loads(request.body)
    except ValueError as error:
        raise FhirError(400, "structure", "the body is not JSON") from error
    if not isinstance(body, dict) or not isinstance(body.get("resourceType"), str):
        raise FhirError(400, "structure", "the body is not a resource")
    return body


def not_allowed(request: HttpRequest) -> FhirError:
    return FhirError(405, "not-supported", f"{request.method} is not supported here")


@speaks_fhir
def metadata(request: HttpRequest) -> Answer:
    return Answer(body=conformance.capability_statement())


@speaks_fhir
def base(request: HttpRequest) -> Answer:
    if request.method != "POST":
        raise not_allowed(request)
    grant, bundle = bearer(request), json_of(request)
    if bundle["resourceType"] != "Bundle":
        raise FhirError(400, "structure", "only a Bundle can be posted to the base")
    return bundles.carry_out(grant, bundle)


@speaks_fhir
def of_type(request: HttpRequest, *, kind: str) -> Answer:
    """Search by GET, create by POST."""
    grant = bearer(request)
    if request.method == "GET":
        return interactions.search(grant, kind, query_of(request))
    if request.method != "POST":
        raise not_allowed(request)
    resource = json_of(request)
    if resource["resourceType"] != kind:
        raise FhirError(400, "structure", f"the body is not a {kind}")
    return interactions.create(grant, resource, if_none_exist=request.headers.get("If-None-Exist"))


@speaks_fhir
def search_by_post(request: HttpRequest, *, kind: str) -> Answer:
    """Keeps what is asked out of the address."""
    if request.method != "POST" or request.content_type != "application/x-www-form-urlencoded":
        raise FhirError(415, "not-supported", "POST a form here")
    form = parse_qsl(request.body.decode(), keep_blank_values=True)
    return interactions.search(bearer(request), kind, [*query_of(request), *form])


@speaks_fhir
def of_instance(request: HttpRequest, *, kind: str, resource_id: str) -> Answer:
    """Read, update, delete."""
    grant = bearer(request)
    match request.method:
        case "GET":
            return interactions.read(grant, kind, resource_id)
        case "DELETE":
            return interactions.delete(grant, kind, resource_id)
        case "PUT":
            resource = json_of(request)
            if (resource["resourceType"], resource.get("id")) != (kind, resource_id):
                raise FhirError(400, "structure", "the body is not the resource in the address")
            return interactions.update(grant, resource, if_match=bundles.version_in(request.headers.get("If-Match")))
    raise not_allowed(request)


@speaks_fhir
def of_version(request: HttpRequest, *, kind: str, resource_id: str, version: str) -> Answer:
    if request.method != "GET":
        raise not_allowed(request)
    return interactions.read(bearer(request), kind, resource_id, version=version)


def query_of(request: HttpRequest) -> list[tuple[str, str]]:
    return parse_qsl(request.META.get("QUERY_STRING", ""), keep_blank_values=True)
