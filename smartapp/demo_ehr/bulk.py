"""Bulk Data Access over HTTP (STU1 to STU3): kick-off, status, files, deletion."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from smartapp.demo_ehr import addresses
from smartapp.demo_ehr.compartment import SHARED
from smartapp.demo_ehr.export import Asked, Job, jobs
from smartapp.demo_ehr.fhir import bearer, json_of, not_allowed, query_of, speaks_fhir
from smartapp.demo_ehr.grants import Grant
from smartapp.demo_ehr.interactions import Answer
from smartapp.demo_ehr.outcomes import FhirError
from smartapp.demo_ehr.parameters import PARAMETERS
from smartapp.demo_ehr.population import POPULATION, population_folder
from smartapp.demo_ehr.search import Criteria, refuse_unknown
from smartapp.demo_ehr.store import chart_store

FORMATS = {"application/fhir+ndjson", "application/ndjson", "ndjson"}
KNOWN = {"_outputFormat", "_since", "_type", "_typeFilter", "patient"}
RETRY_SECONDS = 1
BLOCK = 65_536


@speaks_fhir
def of_system(request: HttpRequest) -> Answer:
    return kick_off(request, level="system")


@speaks_fhir
def of_patients(request: HttpRequest) -> Answer:
    return kick_off(request, level="patient")


@speaks_fhir
def of_group(request: HttpRequest, *, group: str) -> Answer:
    return kick_off(request, level="group", group=group)


def kick_off(request: HttpRequest, *, level: str, group: str = "") -> Answer:
    grant = bearer(request)
    if any(scope.level != "system" for scope in grant.scopes):
        raise FhirError(403, "forbidden", "an export is for backend services: it needs system scopes")
    if "respond-async" not in request.headers.get("Prefer", ""):
        raise FhirError(400, "invalid", "an export is asynchronous: send Prefer: respond-async")
    given = parameters_of(request)
    asked = asked_by(given, grant=grant, level=level, group=group, lenient="lenient" in request.headers["Prefer"])
    job = jobs.begin(asked, grant=grant, request=request.build_absolute_uri())
    return Answer(status=202, headers={"Content-Location": addresses.hospital(f"/fhir/bulkstatus/{job.id}")})


def parameters_of(request: HttpRequest) -> list[tuple[str, str]]:
    """Of the query, where a comma separates, or of a Parameters resource, where one is repeated."""
    if request.method == "POST":
        body = json_of(request)
        return [(str(one.get("name")), value_of(one)) for one in body.get("parameter", [])]
    if request.method != "GET":
        raise not_allowed(request)
    listed = {"_type"}
    given = query_of(request)
    return [(name, one) for name, value in given for one in (value.split(",") if name in listed else [value])]


def value_of(parameter: dict[str, Any]) -> str:
    values = [value for name, value in parameter.items() if name.startswith("value")]
    value = values[0] if values else ""
    return str(value.get("reference", "") if isinstance(value, dict) else value)


def asked_by(given: list[tuple[str, str]], *, grant: Grant, level: str, group: str, lenient: bool) -> Asked:
    unknown = sorted({name for name, _ in given} - KNOWN)
    if unknown and not lenient:
        raise FhirError(400, "not-supported", *(f"the parameter {name!r} is not supported" for name in unknown))
    if any(name == "_outputFormat" and value not in FORMATS for name, value in given):
        raise FhirError(400, "not-supported", "only application/fhir+ndjson is written")
    return Asked(
        level=level,
        kinds=kinds_of([value for name, value in given if name == "_type"], grant=grant, level=level),
        filters=filters_of([value for name, value in given if name == "_typeFilter"]),
        since=instant_in([value for name, value in given if name == "_since"]),
        group=group,
        patients=patients_of([value for name, value in given if name == "patient"], group=group),
        ignored=tuple(unknown),
    )


def kinds_of(named: list[str], *, grant: Grant, level: str) -> tuple[str, ...]:
    """What is named must exist and be granted; without names all that is granted, of patients only at their levels."""
    for kind in named:
        if kind not in PARAMETERS:
            raise FhirError(400, "not-supported", f"this server does not keep {kind}")
        grant.require(kind, "r")
    theirs = [kind for kind in sorted(PARAMETERS) if level == "system" or kind not in {*SHARED, "Group"}]
    granted = [kind for kind in theirs if any(scope.covers(kind, "r") for scope in grant.scopes)]
    if not named and not granted:
        raise FhirError(403, "forbidden", "no scope of the token opens anything that could be exported")
    return tuple(dict.fromkeys(named or granted))


def filters_of(queries: list[str]) -> dict[str, list[Criteria]]:
    found: dict[str, list[Criteria]] = {}
    for query in queries:
        kind, _, criteria = query.partition("?")
        parsed = parse_qsl(criteria, keep_blank_values=True)
        if kind not in PARAMETERS or not parsed or any(name in {"_sort", "_count", "_include"} for name, _ in parsed):
            raise FhirError(400, "invalid", "_typeFilter is a type, a question mark, and criteria alone")
        refuse_unknown(kind, parsed)
        found.setdefault(kind, []).append(parsed)
    return found


def instant_in(values: list[str]) -> datetime | None:
    try:
        moments = [datetime.fromisoformat(unquote(value)) for value in values]
    except ValueError as error:
        raise FhirError(400, "invalid", "_since is not an instant") from error
    if any(moment.tzinfo is None for moment in moments):
        raise FhirError(400, "invalid", "_since needs a time zone")
    return moments[0] if moments else None


def patients_of(references: list[str], *, group: str) -> frozenset[str] | None:
    """The members of the Group, or those of them who are named; None where everybody is meant."""
    named = frozenset(reference.rpartition("/")[2] for reference in references)
    if not group or (group == POPULATION and population_folder()):
        return named or None
    entries = chart_store().read("Group", group).get("member", [])
    members = frozenset(entry["entity"]["reference"].rpartition("/")[2] for entry in entries)
    return members & named if named else members


@speaks_fhir
def status(request: HttpRequest, *, job_id: str) -> Answer:
    """Poll by GET, drop by DELETE."""
    job = jobs.find(job_id, author=bearer(request).author)
    if request.method == "DELETE":
        jobs.drop(job)
        return Answer(status=202)
    if request.method != "GET":
        raise not_allowed(request)
    if not job.done.is_set():
        return Answer(status=202, headers={"X-Progress": job.progress[:99], "Retry-After": str(RETRY_SECONDS)})
    if job.failure:
        raise FhirError(500, "processing", "the export could not be written")
    return Answer(body=manifest(job), headers={"Expires": format_datetime(job.expires, usegmt=True)})


def manifest(job: Job) -> dict[str, Any]:
    parts = {
        part: [
            {"type": one["type"], "url": addresses.hospital(f"/bulk/{job.id}/{one['name']}"), "count": one["count"]}
            for one in found
        ]
        for part, found in job.files.items()
    }
    needs_token = not files_are_open()
    said = {"transactionTime": job.begun.isoformat(), "request": job.request, "requiresAccessToken": needs_token}
    return {**said, **parts}


def files_are_open() -> bool:
    """Whoever knows the address may read, as with links to a cloud's storage, which refuse a token beside it."""
    return bool(getattr(settings, "DEMO_EHR_OPEN_FILES", False))


@csrf_exempt
def file(request: HttpRequest, *, job_id: str, name: str) -> HttpResponseBase:
    try:
        path = file_of(request, job_id, name)
    except FhirError as error:
        return HttpResponse(json.dumps(error.outcome()), status=error.status, content_type="application/fhir+json")
    zipped = "gzip" in request.headers.get("Accept-Encoding", "")
    response = StreamingHttpResponse(
        blocks_of(path, zipped=zipped), content_type="application/fhir+ndjson", headers={"Cache-Control": "no-store"}
    )
    if zipped:
        response["Content-Encoding"] = "gzip"
    return response


def file_of(request: HttpRequest, job_id: str, name: str) -> Path:
    if files_are_open():
        if "Authorization" in request.headers:
            raise FhirError(400, "invalid", "this address is the permission; a token has no business here")
        job = jobs.find(job_id)
    else:
        job = jobs.find(job_id, author=bearer(request).author)
    if not job.done.is_set() or name not in {one["name"] for found in job.files.values() for one in found}:
        raise FhirError(404, "not-found", "no such file")
    return job.folder / name


def blocks_of(path: Path, *, zipped: bool) -> Iterator[bytes]:
    """The file, block by block; each block a member of its own when zipped (RFC 1952, 2.2)."""
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            yield gzip.compress(block, 1) if zipped else block
