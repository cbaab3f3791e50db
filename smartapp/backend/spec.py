"""The API in OpenAPI 3.1, derived from its views and from the shapes that they read and write; at /api/schema."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view

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
    410: "Cancelled by an administrator",
    411: "Content-Length is missing",
    413: "Too long",
    415: "Another media type",
    500: "It was begun and could not be finished",
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


_NDJSON = "application/fhir+ndjson"
_SERVICE = OpenApiParameter("service", str, description="A decision service's id; by default the first with a model.")
_GROUP = OpenApiParameter("group", str, description="Of the EHR, instead of an upload: one that is open to callers.")
_PREFER = OpenApiParameter("Prefer", str, OpenApiParameter.HEADER, required=True, enum=["respond-async"])
_LINES: Schema = {"type": "string", "description": "A FHIR resource a line (R4, or another version), gzipped or not."}
_FORM: Schema = {
    "type": "object",
    "properties": {
        "service": {"type": "string"},
        "_outputFormat": {"type": "string", "enum": [_NDJSON]},
        "input": {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1},
    },
    "required": ["input"],
    "additionalProperties": False,
}
PARAMETERS: Schema = {
    "type": "object",
    "description": "FHIR Parameters: service, and group (valueReference) or input (a Binary of NDJSON, repeated).",
    "properties": {"resourceType": {"const": "Parameters"}, "parameter": {"type": "array"}},
    "required": ["resourceType", "parameter"],
}
_FILES: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "url": {"type": "string", "format": "uri"},
            "count": {"type": "integer"},
        },
        "required": ["type", "url", "count"],
    },
}
MANIFEST: Schema = {
    "type": "object",
    "description": "Bulk Data Access 3.0.0: output has RiskAssessments, error an OperationOutcome for everybody else.",
    "properties": {
        "transactionTime": {"type": "string", "format": "date-time"},
        "request": {"type": "string", "format": "uri"},
        "requiresAccessToken": {"const": True},
        "output": _FILES,
        "error": _FILES,
    },
    "required": ["transactionTime", "request", "requiresAccessToken", "output", "error"],
}


def _header(name: str, description: str, *statuses: int) -> OpenApiParameter:
    return OpenApiParameter(
        name, str, OpenApiParameter.HEADER, description=description, response=[str(one) for one in statuses]
    )


score_batch = extend_schema_view(
    post=extend_schema(
        operation_id="score-batch",
        summary="Everybody in an upload, answered later",
        parameters=[_SERVICE, _GROUP, _PREFER, _header("Content-Location", "Where to look how far it is.", 202)],
        request={_NDJSON: _LINES, "multipart/form-data": _FORM, "application/fhir+json": PARAMETERS},
        responses={202: OpenApiResponse(description="Begun"), **refusals(400, 404, 411, 413, 415)},
    )
)
batch_status = extend_schema_view(
    get=extend_schema(
        operation_id="batch-status",
        summary="How far a batch is, and in the end its manifest",
        parameters=[_header("X-Progress", "In words.", 202), _header("Retry-After", "In seconds.", 202)],
        responses={
            (200, "application/json"): MANIFEST,
            202: OpenApiResponse(description="Under way"),
            **refusals(404, 410, 500),
        },
    ),
    delete=extend_schema(
        operation_id="batch-delete",
        summary="Stop it, or let its results go",
        responses={202: OpenApiResponse(description="Done, or about to be"), **refusals(404)},
    ),
)
batch_file = extend_schema_view(
    get=extend_schema(
        operation_id="batch-file",
        summary="What a batch found, a line a patient",
        parameters=[OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=["RiskAssessment", "OperationOutcome"])],
        responses={(200, _NDJSON): {"type": "string"}, **refusals(404)},
    )
)


class Scheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "smartapp.backend.api.Bearer"
    name = "backendServices"

    def get_security_definition(self, auto_schema: Any) -> Schema:
        flow = {"tokenUrl": "/api/token", "scopes": WORDS}
        return {"type": "oauth2", "flows": {"clientCredentials": flow}}


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_written(), content_type="application/vnd.oai.openapi+json")


@cache
def _written() -> bytes:
    from drf_spectacular.generators import SchemaGenerator

    found: Schema = SchemaGenerator(urlconf="smartapp.backend.urls").get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    # Django REST framework reads a dollar as the end of a pattern, and drops it.
    found["paths"]["/api/fhir/$score-batch"] = found["paths"].pop("/api/fhir/score-batch")
    return msgspec.json.encode(found)
