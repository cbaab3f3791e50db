"""What an administrator was refused is written down, as every refusal is."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from cds import audit


class Refusals:
    """Django middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> None:
        """By the page's name: what else stands in its address may be anything."""
        if isinstance(error, PermissionDenied):
            page = request.resolver_match.view_name if request.resolver_match else ""
            audit.record("refusal", actor=f"admin {request.user.pk}", subject=page[:100], status=403)
