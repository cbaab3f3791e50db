"""Sessions: found by the id in the URL, believed by the secret in their own cookie, ended with their tokens."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from cds import audit
from smartapp import cookies
from smartapp.launch.tokens import revoke
from smartapp.models import IDLE, SmartSession
from smartapp.stops import Reason, Stopped, asker

AT_A_TIME = 100  # that a worker closes: each may cost a slow EHR's time-out
_SEEN_TO_THE = timedelta(minutes=1)  # no write for every plot of a page


def hand_over(response: HttpResponse, session: SmartSession, secret: str) -> None:
    """The cookie lives as long as the session."""
    seconds = int((session.expires_at - timezone.now()).total_seconds())
    cookies.set_secret(response, _cookie_of(session.id), secret, seconds=max(seconds, 0))


def required(request: HttpRequest, session_id: uuid.UUID) -> SmartSession:
    """The session of this browser, or the stop that says to open the app again."""
    session = SmartSession.objects.select_related("ehr", "shown").filter(pk=session_id).first()
    if session is None:
        raise Stopped(Reason.SESSION_OVER)
    known = cookies.fits(cookies.secret_in(request, _cookie_of(session_id)), session.secret_hash)
    asker.set(session if known else None)
    if not known or session.expired or not session.ehr.active:
        raise Stopped(Reason.SESSION_OVER, ehr=session.ehr)
    if session.idle:
        end(session, why="idle")
        raise Stopped(Reason.IDLE, ehr=session.ehr)
    if session.seen_at <= timezone.now() - _SEEN_TO_THE:
        SmartSession.objects.filter(pk=session.pk).update(seen_at=timezone.now())
    return session


def end(session: SmartSession, *, why: str) -> bool:
    """Forget the session and give its tokens back; whether the EHR took all of them."""
    if not SmartSession.objects.filter(pk=session.pk).delete()[0]:
        return True  # another tab of the same session was faster
    grant, ehr = session.grant, session.ehr
    audit.record("logout", actor=grant.actor, ehr=ehr, patient_id=grant.patient_id, subject=str(session.id), why=why)
    tokens = {"refresh_token": grant.refresh_token, "access_token": grant.token}
    taken = [revoke(token, hint=hint, ehr=ehr) for hint, token in tokens.items() if token]
    return all(taken)


def close_forgotten() -> int:
    """End each session that is over or idle, of which no browser has told us; how many.

    Deleting the rows alone would leave refresh tokens alive at the EHR.
    """
    now = timezone.now()
    left = SmartSession.objects.filter(Q(expires_at__lte=now) | Q(seen_at__lte=now - IDLE)).select_related("ehr")
    found = list(left[:AT_A_TIME])
    for session in found:
        end(session, why="expired" if session.expired else "idle")
    return len(found)


def forget(response: HttpResponse, session: SmartSession) -> None:
    cookies.forget_secret(response, _cookie_of(session.id))


def form_token(session: SmartSession, *bound_to: str) -> str:
    """What a form of ours carries: whoever has not seen the page cannot know it.

    Not Django's CSRF cookie: that one is lost in a third-party frame, and its Origin check refuses `no-referrer`.
    """
    value = "|".join((str(session.id), session.secret_hash, *bound_to))
    return salted_hmac("smartapp.form", value, algorithm="sha256").hexdigest()


def pressed(request: HttpRequest, session_id: uuid.UUID, *bound_to: str, otherwise: Reason) -> SmartSession:
    """The session whose page made the form that was sent, for this very deed."""
    session = required(request, session_id)
    require_form_token(request.POST.get("token", ""), session, *bound_to, otherwise=otherwise)
    return session


def require_form_token(given: str, session: SmartSession, *bound_to: str, otherwise: Reason) -> None:
    if not constant_time_compare(given, form_token(session, *bound_to)):
        raise Stopped(otherwise, ehr=session.ehr)


def _cookie_of(session_id: uuid.UUID) -> str:
    return f"session-{session_id.hex}"
