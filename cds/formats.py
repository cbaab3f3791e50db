"""At every door JSON comes in and goes out as bytes: our shapes decode a body once, and faster than a dict could be built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO, Any, cast

import msgspec
from django.conf import settings
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from cds.errors import TooLarge


class Body(BaseParser):
    """JSON, as bytes, up to HOOK_MAX_BYTES."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(f"the request has more than {limit // 1_000_000} MB")
        return body


def body(request: Request) -> bytes:
    """What `Body` read; Django REST framework puts an empty dict where nothing was sent."""
    return cast("bytes", request.data) or b""


class Json(BaseRenderer):
    """UTF-8, without white space; nothing for an answer without data."""

    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return b"" if data is None else msgspec.json.encode(data)


class JsonOnly(DefaultContentNegotiation):
    """What a caller says it accepts is not weighed: there is one form of each answer."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return next(iter(renderers)), Json.media_type
