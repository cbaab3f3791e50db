"""Where a clinician's way ends before the page: each stop says what happened, what was kept and what to do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from cds import audit
from cds.errors import CdsError, FhirRefused, MergedPatient
from cds.models import Ehr
from smartapp.frames import in_frame_of
from smartapp.models import SmartSession

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponse]
# Whose request is under way, once its cookie has proved the session: a refusal is written down with what is known.
asker: ContextVar[SmartSession | None] = ContextVar("asker", default=None)
_NOTHING = "Nothing was read, and nothing was written."
_AGAIN = "Open Bedside again from the patient's chart."


@dataclass(frozen=True, kw_only=True)
class Words:
    """One page in plain words."""

    status: int
    title: str
    happened: str
    kept: str = _NOTHING
    to_do: str = _AGAIN


class Reason(Enum):
    """Every way to stop."""

    NOT_A_LAUNCH = Words(
        status=400,
        title="This is not a launch",
        happened="Bedside is opened from a patient's chart, which hands over the chart's address and a ticket. One of "
        "the two was missing, or came twice.",
    )
    UNKNOWN_EHR = Words(
        status=400,
        title="This record system is not known here",
        happened="The launch came from a record system that is not registered with this Bedside. It was not contacted.",
        to_do="Ask your administrator to register it.",
    )
    UNFIT_EHR = Words(
        status=502,
        title="The record system's settings cannot be used",
        happened="What the record system says about its login is incomplete, or points somewhere else.",
        to_do="Tell your administrator; trying again will not help.",
    )
    UNREACHABLE = Words(
        status=502,
        title="The record system did not answer",
        happened="Bedside asked the record system and got no usable answer in time.",
        kept="Nothing was written.",
        to_do="Wait a moment, then open Bedside again from the patient's chart.",
    )
    NO_COOKIE = Words(
        status=403,
        title="This browser did not bring its ticket back",
        happened="At the start of the launch Bedside gave this browser a cookie, and it did not come back. Some browsers "
        "block cookies inside a frame.",
        to_do="Open Bedside in a window of its own, or allow cookies for this address.",
    )
    LAUNCH_OVER = Words(
        status=400,
        title="This launch is over",
        happened="A launch can be used once and within ten minutes. This one was used already, is too old, or was never "
        "started here.",
    )
    DENIED = Words(
        status=403,
        title="The record system did not give access",
        happened="The record system refused the launch, or it was cancelled there.",
        to_do="Open Bedside again from the chart; if it happens again, ask your administrator for access.",
    )
    NOT_IDENTIFIED = Words(
        status=403,
        title="Your identity could not be confirmed",
        happened="What the record system said about who you are did not pass the checks, so Bedside did not go on.",
        to_do="Open Bedside again from the chart; if it happens again, tell your administrator.",
    )
    NO_PATIENT = Words(
        status=400,
        title="No patient was handed over",
        happened="The record system opened Bedside without saying for which patient.",
        to_do="Open the patient's chart first, then Bedside from there.",
    )
    SESSION_OVER = Words(
        status=403,
        title="This session has ended",
        happened="For the patient's safety a session ends with the access that the record system gave, after minutes, or "
        "when nobody has used it for a quarter of an hour. Or this browser is not the one that opened it.",
        kept="What was saved to the chart stays there.",
    )
    IDLE = Words(
        status=403,
        title="Bedside was closed",
        happened="Nobody has used it for 15 minutes, so that nobody else finds a patient's data on this screen.",
        kept="What was saved to the chart stays there.",
    )
    CLOSED = Words(
        status=200,
        title="Bedside is closed",
        happened="The access that the record system gave was handed back.",
        kept="What was saved to the chart stays there.",
    )
    CLOSED_HERE = Words(
        status=200,
        title="Bedside is closed",
        happened="Bedside has forgotten the access that the record system gave; there it ends by itself, after minutes.",
        kept="What was saved to the chart stays there.",
    )
    NO_PERMISSION = Words(
        status=403,
        title="No permission to read this chart",
        happened="The record system does not let Bedside read this patient's chart in your name.",
        to_do="Ask your administrator which permissions Bedside needs.",
    )
    OPTED_OUT = Words(
        status=403,
        title="This patient does not take part",
        happened="The patient has asked that Bedside does not look at this record. That is no statement about health.",
        to_do="Go on without Bedside. If the patient has changed their mind, an administrator can record it.",
    )
    MERGED = Words(
        status=409,
        title="This record was merged into another one",
        happened="The record system says that this patient now has another record, and that this one counts no more.",
        kept="Only the patient's entry was read, and nothing was written.",
        to_do="Open the patient's current chart, then Bedside from there.",
    )
    FORM_OVER = Words(
        status=403,
        title="Nothing was saved",
        happened="The button did not come from the page that Bedside showed you, or the page was too old.",
    )
    NOT_REPORTED = Words(
        status=400,
        title="Nothing was reported",
        happened="The report named none of the reasons on the page, or its text was too long.",
        kept="Nothing was kept of it.",
        to_do="Go back and choose a reason.",
    )
    NOT_RETRACTED = Words(
        status=409,
        title="Nothing was retracted",
        happened="The button did not come from the page that Bedside showed you, no reason was chosen, or somebody else "
        "saved this result.",
        kept="The chart is as it was.",
        to_do="Go back and choose a reason. What a colleague saved, they or a safety officer can retract.",
    )
    NOT_CALLED_OFF = Words(
        status=409,
        title="Nothing was called off",
        happened="It is just being sent, there is nothing to call off, somebody else asked for it, or the button did not "
        "come from the page that Bedside showed you.",
        kept="What was saved stays as it is.",
        to_do="Go back to the page: it says what is the case.",
    )
    NOT_CONFIRMED = Words(
        status=409,
        title="Nothing was confirmed",
        happened="This result cannot be confirmed by you now: it is not saved yet, it was retracted or superseded, a "
        "colleague has confirmed it, you may only read, or the button did not come from the page that Bedside showed you.",
        kept="What was saved stays as it is.",
        to_do="Go back to the page: it says what is the case.",
    )
    NOT_SAVED = Words(
        status=409,
        title="Nothing was saved",
        happened="This answer cannot be saved: saving is switched off, it was retracted or called off, or there is no "
        "answer yet.",
    )
    OTHER_PATIENT = Words(
        status=409,
        title="Nothing was saved: the patient's data has changed",
        happened="Before saving, Bedside read the patient again. Name, birth date, sex or record number are not those "
        "that the page showed.",
        to_do="Check that it is the right patient, then open Bedside again from the chart.",
    )


class Stopped(Exception):
    """`ehr` may frame the page; `again` is an address to offer in a window of its own."""

    def __init__(self, reason: Reason, *, ehr: Ehr | None = None, again: str = "") -> None:
        super().__init__(reason.name)
        self.reason = reason
        self.ehr = ehr
        self.again = again


def stops_plainly(view: View) -> View:
    """A view decorator: a stop becomes its page. Other errors from the EHR become the two stops that they are."""

    @wraps(view)
    def wrapped(request: HttpRequest, **names: str) -> HttpResponse:
        nobody = asker.set(None)
        try:
            return view(request, **names)
        except Stopped as stop:
            return stop_page(request, stop)
        except FhirRefused as error:
            expired = error.http_status == 401
            return stop_page(request, Stopped(Reason.SESSION_OVER if expired else Reason.NO_PERMISSION))
        except MergedPatient:
            return stop_page(request, Stopped(Reason.MERGED))
        except CdsError as error:
            logger.warning("a page could not be shown: %s", type(error).__name__)
            return stop_page(request, Stopped(Reason.UNREACHABLE))
        finally:
            asker.reset(nobody)

    return wrapped


def stop_page(request: HttpRequest, stop: Stopped) -> HttpResponse:
    words = stop.reason.value
    if words.status >= 400:
        _record(stop)
    response = render(request, "smartapp/stopped.html", {"words": words, "again": stop.again}, status=words.status)
    return in_frame_of(stop.ehr, response)


def _record(stop: Stopped) -> None:
    session = asker.get()
    audit.record(
        "refusal",
        actor=session.grant.actor if session else "unknown",
        ehr=session.ehr if session else stop.ehr,
        patient_id=session.grant.patient_id if session else "",
        subject=str(session.id) if session else "launch",
        status=stop.reason.value.status,
        reason=stop.reason.name,
    )
