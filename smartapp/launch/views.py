"""The addresses that an EHR registers, `/launch` and `/callback`, and our own page to launch from."""

from __future__ import annotations

import logging
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from cds.errors import FhirInvalid, FhirUnreachable
from cds.models import Ehr
from smartapp import cookies, sessions
from smartapp.frames import in_frame_of
from smartapp.launch.begin import begin, cookie_of, registered
from smartapp.launch.finish import consume, finish
from smartapp.models import LAUNCH_LIVES, Launch
from smartapp.stops import Reason, Stopped, stops_plainly

logger = logging.getLogger(__name__)

_LONGEST_LAUNCH = 4000  # characters; the ticket is opaque, but not a novel


@require_GET
@stops_plainly
def launch(request: HttpRequest) -> HttpResponse:
    """SMART App Launch 2.2, "Launch App: EHR Launch"."""
    bases, tickets = request.GET.getlist("iss"), request.GET.getlist("launch")
    if len(bases) != 1 or len(tickets) != 1 or not bases[0] or not 0 < len(tickets[0]) <= _LONGEST_LAUNCH:
        raise Stopped(Reason.NOT_A_LAUNCH)
    ehr = registered(bases[0])
    if ehr is None:
        raise Stopped(Reason.UNKNOWN_EHR)
    return _to_authorization(ehr, tickets[0])


@require_GET
@stops_plainly
def standalone(request: HttpRequest) -> HttpResponse:
    """SMART App Launch 2.2, "Launch App: Standalone Launch": which record system? The patient is picked there."""
    found = Ehr.objects.filter(active=True, standalone=True).order_by("name")
    return in_frame_of(None, render(request, "smartapp/standalone.html", {"ehrs": found}))


@require_GET
@stops_plainly
def standalone_at(request: HttpRequest, ehr_id: int) -> HttpResponse:
    ehr = Ehr.objects.filter(pk=ehr_id, active=True, standalone=True).first()
    if ehr is None:
        raise Stopped(Reason.UNKNOWN_EHR)
    return _to_authorization(ehr)


def _to_authorization(ehr: Ehr, ticket: str = "") -> HttpResponse:
    """Send the browser to the EHR, with the cookie that it must bring back."""
    try:
        begun = begin(ehr, ticket)
    except FhirUnreachable as error:
        raise Stopped(Reason.UNREACHABLE, ehr=ehr) from error
    except FhirInvalid as error:
        logger.error("EHR %s cannot be launched from: %s", ehr.pk, error)
        raise Stopped(Reason.UNFIT_EHR, ehr=ehr) from error
    response = HttpResponseRedirect(begun.url)
    cookies.set_secret(response, begun.cookie, begun.secret, seconds=int(LAUNCH_LIVES.total_seconds()))
    return in_frame_of(ehr, response)


@require_GET
@stops_plainly
def callback(request: HttpRequest) -> HttpResponse:
    """SMART App Launch 2.2, "Obtain authorization code": nothing that came back is ever shown."""
    state = request.GET.get("state", "")
    secret = cookies.secret_in(request, cookie_of(state))
    if not secret:
        raise Stopped(Reason.NO_COOKIE, again=_same_launch(state))
    begun = consume(state=state, secret=secret)
    code = request.GET.get("code", "")
    if "error" in request.GET or not code:
        raise Stopped(Reason.DENIED, ehr=begun.ehr)
    session, session_secret = finish(begun, code=code, issuer=request.GET.get("iss"))
    response = HttpResponseRedirect(reverse("page", kwargs={"session_id": session.id}))
    cookies.forget_secret(response, cookie_of(state))
    sessions.hand_over(response, session, session_secret)
    return in_frame_of(session.ehr, response)


def _same_launch(state: str) -> str:
    """Where a window of its own, which may keep cookies, can start the same launch anew."""
    begun = Launch.objects.select_related("ehr").filter(state_hash=cookies.digest(state), used_at=None).first()
    if begun is None:
        return ""
    ticket = bytes(begun.launch).decode()
    if not ticket:
        return reverse("standalone")
    query = {"iss": begun.ehr.fhir_base, "launch": ticket}
    return f"{reverse('launch')}?{urlencode(query)}"
