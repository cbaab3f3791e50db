"""Who may frame a page: the origins of the EHR that launched it, and nobody else."""

from __future__ import annotations

from csp.decorators import csp_replace
from django.http import HttpResponse

from cds.models import Ehr


def in_frame_of(ehr: Ehr | None, response: HttpResponse) -> HttpResponse:
    """Headers of every page of a session. `None`: a page without anything about a patient, for any registered EHR."""
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"  # code, state and session id stand in URLs
    response.xframe_options_exempt = True  # frame-ancestors takes its place
    policy = {"frame-ancestors": _ancestors(ehr) or ["'none'"]}
    # The decorator is how django-csp takes a policy for one response; the EHR is known only here, inside the view.
    csp_replace(policy)(lambda _: response)(None)  # type: ignore[arg-type]
    return response


def _ancestors(ehr: Ehr | None) -> list[str]:
    if ehr is not None:
        return ehr.frame_ancestors.split()
    lists = Ehr.objects.filter(active=True).values_list("frame_ancestors", flat=True)
    return sorted({origin for origins in lists for origin in origins.split()})
