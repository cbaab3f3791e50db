"""What a batch is asked: the service and the records, as FHIR Parameters, as a form, or as bare NDJSON."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Literal

import msgspec
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler
from django.http import UnreadablePostError
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from msgspec import Struct
from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from cds.fhir.decoding import UNREADABLE
from smartapp.backend.batch.arriving import PIECE, Arriving, Part, too_large
from smartapp.backend.formats import NDJSON
from smartapp.backend.refusals import Issue, Unusable

FORMATS = (NDJSON, "application/ndjson", "ndjson")
_OPTIONS = ("service", "group", "_outputFormat")


class LengthRequired(APIException):
    status_code = 411
    default_detail = "Content-Length is missing: an upload says beforehand how long it is."


@dataclass(kw_only=True)
class Question:
    """`service`: an id, or "" for the first service that scores with a model. `group`: at the EHR, instead of an upload."""

    service: str = ""
    group: str = ""

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Question:
        """Unusable for what we do not know: silently ignored, it would be answered wrongly."""
        wrong = [Issue("not-supported", "there is no such parameter", name) for name in options if name not in _OPTIONS]
        if options.get("_outputFormat", NDJSON) not in FORMATS:
            wrong.append(Issue("not-supported", f"results come as {NDJSON} only", "_outputFormat"))
        if wrong:
            raise Unusable(*wrong)
        return cls(service=options.get("service", ""), group=options.get("group", "").removeprefix("Group/"))


def read(request: Request, upload: Arriving) -> Question:
    """The question; the records have gone to disk. Nothing is read of what says that it is too long."""
    length = request.headers.get("Content-Length") or "0"
    if not length.isdecimal() or "Transfer-Encoding" in request.headers:
        raise LengthRequired
    if int(length) > settings.BATCH_MAX_BYTES:
        raise too_large()
    try:
        options = {**_query(request), **_body(request, upload, int(length))}
    except UnreadablePostError as error:
        raise Unusable(Issue("incomplete", "the upload broke off")) from error
    question = Question.of(options)
    if question.group and upload.files:
        raise Unusable(Issue("invalid", "either a group of the EHR, or an upload", "group"))
    if not upload.patients and not question.group:
        raise Unusable(Issue("required", "there is no Patient in what was sent: one FHIR resource a line, as NDJSON"))
    return question


def _query(request: Request) -> dict[str, str]:
    repeated = [name for name, values in request.query_params.lists() if len(values) > 1]
    if repeated:
        raise Unusable(*(Issue("multiple-matches", "the parameter is repeated", name) for name in repeated))
    return request.query_params.dict()


def _body(request: Request, upload: Arriving, length: int) -> Mapping[str, str]:
    sent: Any = request.data  # what the parser made of it
    if not length:
        return {}  # a group may be named in the address
    match sent:
        case Ndjson() as body:
            return body.store(upload, length)
        case Form() as body:
            return body.store(upload)
        case bytes() as body:
            return _parameters(body, upload)
    raise Unusable(Issue("required", "nothing was sent"))


# --- Bare NDJSON -----------------------------------------------------------------------------------------------------
@dataclass
class Ndjson:
    """A body that was not read yet."""

    stream: IO[bytes]

    def store(self, upload: Arriving, length: int) -> dict[str, str]:
        part, got = upload.part(), 0
        for piece in self._pieces():
            part.write(piece)
            got += len(piece)
        if got < length:
            raise Unusable(Issue("incomplete", "the upload broke off"))
        part.close()
        return {}

    def _pieces(self) -> Iterator[bytes]:
        while piece := self.stream.read(PIECE):
            yield piece


class NdjsonBody(BaseParser):
    media_type = NDJSON

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return Ndjson(stream)


class PlainNdjsonBody(NdjsonBody):
    media_type = "application/ndjson"


class Gzipped(NdjsonBody):
    """The same, as curl sends a file whose name ends in .gz."""

    media_type = "application/gzip"


# --- A form ----------------------------------------------------------------------------------------------------------
class _ToDisk(FileUploadHandler):
    """Files go to the upload, and nowhere else: neither to memory nor to the system's folder for such things."""

    def __init__(self, upload: Arriving) -> None:
        super().__init__()
        self.upload = upload
        self.part: Part | None = None

    def new_file(self, field_name: str, *args: Any, **kwargs: Any) -> None:
        super().new_file(field_name, *args, **kwargs)
        if field_name != "input":
            raise Unusable(Issue("not-supported", "a file's field is called input"))
        self.part = self.upload.part()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self.part:
            self.part.write(raw_data)

    def file_complete(self, file_size: int) -> None:
        if self.part:
            self.part.close()


@dataclass
class Form:
    """A multipart body that was not read yet: `input` files, and the options as fields."""

    stream: IO[bytes]
    meta: Mapping[str, Any]

    def store(self, upload: Arriving) -> dict[str, str]:
        try:
            fields, _ = MultiPartParser(self.meta, self.stream, [_ToDisk(upload)]).parse()
        except (MultiPartParserError, SuspiciousOperation) as error:
            raise Unusable(Issue("structure", "the form cannot be read")) from error
        return {name: str(value) for name, value in fields.dict().items()}


class FormBody(BaseParser):
    media_type = "multipart/form-data"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return Form(stream, (parser_context or {})["request"].META)


# --- FHIR Parameters -------------------------------------------------------------------------------------------------
class _Binary(Struct, rename="camel"):
    resource_type: Literal["Binary"]
    data: str


class _Reference(Struct):
    reference: str = ""


class _Parameter(Struct, rename="camel"):
    name: str
    value_string: str = ""
    value_code: str = ""
    value_id: str = ""
    value_reference: _Reference | None = None
    resource: _Binary | None = None


class _Parameters(Struct, rename="camel"):
    resource_type: Literal["Parameters"]
    parameter: list[_Parameter] = []


def _parameters(body: bytes, upload: Arriving) -> dict[str, str]:
    """Parameters hold their Binary in memory: they are for small batches, up to HOOK_MAX_BYTES."""
    try:
        found = msgspec.json.decode(body, type=_Parameters)
    except UNREADABLE as error:
        raise Unusable(Issue("structure", "the request is no FHIR Parameters")) from error
    options: dict[str, str] = {}
    for number, one in enumerate(found.parameter):
        if one.name in options:
            raise Unusable(Issue("multiple-matches", "the parameter is repeated", f"Parameters.parameter[{number}]"))
        if one.name == "input" and one.resource is not None:
            _store(one.resource, upload, place=f"Parameters.parameter[{number}].resource")
        else:
            reference = one.value_reference.reference if one.value_reference else ""
            options[one.name] = one.value_string or one.value_code or one.value_id or reference
    return options


def _store(binary: _Binary, upload: Arriving, *, place: str) -> None:
    try:
        content = base64.b64decode(binary.data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unusable(Issue("value", "not base64", f"{place}.data")) from error
    part = upload.part()
    part.write(content)
    part.close()
