"""The API in OpenAPI 3.1, derived from its views and from the shapes that they read and write; at /api/schema."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view

from smartapp.backend import asked, said
from smartapp.backend.scopes import WORDS

Schema = dict[str, Any]

BUNDLE: Schema = {
    "type": "object",
    "description": "A FHIR Bundle (R4, or another version) with one Patient and all that is on record of them.",
    "properties": {"resourceType": {"const": "Bundle"}, "entry": {"type": "array", "items": {"type": "object"}}},
    "required": ["resourceType"],
}
OUTCOME: Schema = {
    "type": "object",
    "description": "A FHIR OperationOutcome: what was wrong, and where.",
    "properties": {"resourceType": {"const": "OperationOutcome"}, "issue": {"type": "array"}},
    "required": ["resourceType", "issue"],
}
REFUSALS = {
    400: "It cannot be used as it stands",
    401: "No token, or one that is not good",
    403: "The token does not open this",
    404: "There is no such thing, or not for this caller",
    413: "Too long",
    415: "Another media type",
    429: "Too often; Retry-After says when",
    503: "Not now; Retry-After says when",
}


def of(shape: type) -> Schema:
    """A shape's JSON Schema in one piece: OpenAPI has another place for definitions."""
    whole = msgspec.json.schema(shape)
    found: Schema = _inlined(whole, whole["$defs"])
    return found


def _inlined(part: Any, named: Schema) -> Any:
    if isinstance(part, list):
        return [_inlined(one, named) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _inlined(named[part["$ref"].rpartition("/")[2]], named)
    return {name: _inlined(one, named) for name, one in part.items() if name != "$defs"}


def refusals(*more: int) -> dict[Any, Any]:
    """The errors that every operation may answer with, and those of its own."""
    return {
        (status, "application/fhir+json"): OUTCOME | {"description": REFUSALS[status]}
        for status in sorted({401, 403, 429, 503, *more})
    }


predict = extend_schema_view(
    post=extend_schema(
        operation_id="predict",
        summary="One patient's risk, with its explanation",
        parameters=[OpenApiParameter("service", str, description="A decision service's id; by default the first.")],
        request={"application/json": of(asked.Values), "application/fhir+json": BUNDLE},
        responses={(200, "application/json"): of(said.Answer), **refusals(400, 404, 413, 415)},
    )
)


class Scheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "smartapp.backend.api.Bearer"
    name = "backendServices"

    def get_security_definition(self, auto_schema: Any) -> Schema:
        flow = {"tokenUrl": "/api/token", "scopes": WORDS}
        return {"type": "oauth2", "flows": {"clientCredentials": flow}}


@require_GET
def schema(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_written(), content_type="application/vnd.oai.openapi+json")


@cache
def _written() -> bytes:
    from drf_spectacular.generators import SchemaGenerator

    found: Schema = SchemaGenerator(urlconf="smartapp.backend.urls").get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return msgspec.json.encode(found)
