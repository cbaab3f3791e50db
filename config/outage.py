"""Without a database a page says so at once: 503, and nothing about anybody; the clinician's in the EHR's frame.

Machines are told by their own doors.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string

from smartapp.frames import PATHS, in_a_known_frame

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 30


class Outage:
    """Django middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Other errors of the database (a value that it does not take) are faults of ours, and stay a 500."""
        if not isinstance(error, OperationalError | InterfaceError):
            return None
        logger.error("the database does not answer: %s", type(error).__name__)
        headers = {"Retry-After": str(AGAIN_SECONDS), "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        response = HttpResponse(render_to_string("503.html"), status=503, headers=headers)
        return in_a_known_frame(response) if request.path_info.startswith(PATHS) else response
