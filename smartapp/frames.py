"""Who may frame a page: the origins of the EHR that launched it, and nobody else."""

from __future__ import annotations

from collections.abc import Iterable

from csp.decorators import csp_replace
from django.core.cache import caches
from django.http import HttpResponse

from cds.models import Ehr

PATHS = ("/launch", "/callback", "/app/")  # what EHRs open in a frame
_PLACE, _KEPT_SECONDS = "frame-ancestors", 24 * 3600


def in_frame_of(ehr: Ehr | None, response: HttpResponse) -> HttpResponse:
    """Headers of every page of a session. `None`: a page without anything about a patient, for any registered EHR."""
    if ehr is not None:
        caches["process"].set(_PLACE, _remembered() | {ehr.pk: ehr.frame_ancestors}, _KEPT_SECONDS)
        return _framed(response, [ehr.frame_ancestors])
    return _framed(response, Ehr.objects.filter(active=True).values_list("frame_ancestors", flat=True))


def in_a_known_frame(response: HttpResponse) -> HttpResponse:
    """Without a database, a page without anything about a patient: for the EHRs of which this process has shown a page.

    If it has shown none yet, nobody may frame it, and the browser says in the frame that there is nothing to be seen.
    """
    return _framed(response, _remembered().values())


def _remembered() -> dict[int, str]:
    """By the EHR's number, as its last page had them."""
    found: dict[int, str] = caches["process"].get(_PLACE, {})
    return found


def _framed(response: HttpResponse, lists: Iterable[str]) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"  # code, state and session id stand in URLs
    response.xframe_options_exempt = True  # frame-ancestors takes its place
    policy = {"frame-ancestors": sorted({origin for origins in lists for origin in origins.split()}) or ["'none'"]}
    # The decorator is how django-csp takes a policy for one response; the EHR is known only here, inside the view.
    csp_replace(policy)(lambda _: response)(None)  # type: ignore[arg-type]
    return response
