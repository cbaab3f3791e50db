"""Calls of machines go straight to their view: sessions, languages, cookies, messages and frames are for people."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import resolve
from rest_framework.response import Response

Answer = Callable[[HttpRequest], HttpResponseBase]

PATHS = ("/cds-services", "/api/", "/subscriptions/")
_NOT_A_PAGE = "default-src 'none'; frame-ancestors 'none'"


def straight(get_response: Answer) -> Answer:
    """Django middleware; what stands above it in MIDDLEWARE holds for machines too, what stands below does not."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PATHS):
            return get_response(request)
        request.resolver_match = match = resolve(request.path_info)
        return _finished(match.func(request, *match.args, **match.kwargs))

    return middleware


def _finished(response: HttpResponse) -> HttpResponse:
    if isinstance(response, Response):
        response.render()
    if not response.streaming:
        response["Content-Length"] = str(len(response.content))
    response["Content-Security-Policy"] = _NOT_A_PAGE
    return response
