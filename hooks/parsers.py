"""Hands the raw body to the views: our shapes decode it once, and faster than a dict could be built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, cast

from django.conf import settings
from rest_framework.parsers import BaseParser
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
