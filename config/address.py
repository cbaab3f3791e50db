"""Notes where each request comes from, for the audit trail."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from cds import audit

Answer = Callable[[HttpRequest], HttpResponseBase]


def noted(get_response: Answer) -> Answer:
    """Django middleware."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        token = audit.caller_address.set(address_of(request))
        try:
            return get_response(request)
        finally:
            audit.caller_address.reset(token)

    return middleware


def address_of(request: HttpRequest) -> str:
    """The peer's; behind our proxy the last one of X-Forwarded-For, the only one that the caller cannot invent."""
    said = str(request.META.get("REMOTE_ADDR", ""))
    if settings.BEHIND_PROXY:
        said = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip() or said
    try:
        return str(ipaddress.ip_address(said))
    except ValueError:  # a Unix socket has none
        return ""
