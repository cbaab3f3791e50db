"""What the hospital's own pages allow a browser: no inline script or style, frames only with the registered app."""

from __future__ import annotations

import functools
from collections.abc import Callable

from django.http import HttpResponse

from smartapp.demo_ehr import addresses

View = Callable[..., HttpResponse]


def policy(*, ancestors: str) -> str:
    """The Content-Security-Policy; a redirect after a form counts as its target, hence the app in `form-action`."""
    app = addresses.app()
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"frame-src 'self' {app}; form-action 'self' {app}; base-uri 'none'; frame-ancestors {ancestors}"
    )


def restricted(response: HttpResponse, *, ancestors: str) -> HttpResponse:
    response["Content-Security-Policy"] = policy(ancestors=ancestors)
    response["Cache-Control"] = "no-store"
    # With "no-referrer" a browser sends `Origin: null` with our own forms, and Django's CSRF check refuses them.
    response["Referrer-Policy"] = "same-origin"
    return response


def hospital_page(view: View) -> View:
    """A page that nobody may frame."""

    @functools.wraps(view)
    def page(*args: object, **names: object) -> HttpResponse:
        response = view(*args, **names)
        return restricted(response, ancestors="'none'")

    return page


def framed_by_ourselves(view: View) -> View:
    """A page that may stand in our chart's frame, in the middle of an EHR launch."""

    @functools.wraps(view)
    def page(*args: object, **names: object) -> HttpResponse:
        response = view(*args, **names)
        response["X-Frame-Options"] = "SAMEORIGIN"
        return restricted(response, ancestors="'self'")

    return page
