"""The clinician's page, the parts that it loads, and the one thing that it does: save."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from cds import plots
from cds.connect import bearer_client
from cds.errors import BadInput
from cds.identity import PatientIdentity
from cds.writeback import WriteBackOff, write_back
from scoring.plots import THEMES, svg
from smartapp import answers, calling_off, confirm, glass, retract, sessions
from smartapp.banner import age, read_patient
from smartapp.frames import in_frame_of
from smartapp.models import SmartSession
from smartapp.section import Section
from smartapp.stops import Reason, Stopped, stops_plainly

LOOKS = 30  # one a second; then the page stops by itself and offers a button


@require_GET
@stops_plainly
def page(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Read the patient and the record, ask every live service, show."""
    session = sessions.required(request, session_id)
    glass.require_willing(session)
    patient = read_patient(session)
    if patient.restricted and not glass.broken(session):
        return _restricted(request, session)
    found = answers.ask(session)
    for answer in found:
        answers.record_view(answer, session)
    shown = {
        "session": session,
        "patient": patient,
        "age": age(patient, session),
        "close_token": sessions.form_token(session, "logout"),
        "sections": [_section(answer, session, patient) for answer in found],
    }
    return in_frame_of(session.ehr, render(request, "smartapp/page.html", shown))


def _restricted(request: HttpRequest, session: SmartSession) -> HttpResponse:
    """The question that comes before a restricted chart; no name, and nothing of the record beyond the Patient is read."""
    glass.record_closed(session)
    token = sessions.form_token(session, glass.FORM)
    shown = {"session": session, "reasons": glass.REASONS.items(), "token": token}
    return in_frame_of(session.ehr, render(request, "smartapp/restricted.html", shown, status=403))


@csrf_exempt  # as `save`
@require_POST
@stops_plainly
def reason(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Why this clinician opens a restricted chart."""
    session = sessions.pressed(request, session_id, glass.FORM, otherwise=Reason.FORM_OVER)
    glass.give_reason(session, request.POST.get("reason", ""))
    response = HttpResponseRedirect(reverse("page", kwargs={"session_id": session.id}))
    response.status_code = 303
    return in_frame_of(session.ehr, response)


@require_GET
@stops_plainly
def part(request: HttpRequest, session_id: uuid.UUID, assessment_id: uuid.UUID) -> HttpResponse:
    """One service's section again, while its answer is pending; `look` counts how often the page has asked."""
    session = sessions.required(request, session_id)
    answer = answers.answer_of(answers.required(session, assessment_id))
    look = request.GET.get("look", "")
    looks = int(look) if look.isdecimal() and len(look) <= 3 else LOOKS
    section = Section(answer, session, looks=looks)
    if section.state == "answered":
        answers.record_view(answer, session)
        shown = _section(answer, session, read_patient(session))
    else:
        shown = {"section": section, "stops": looks >= LOOKS}
    return in_frame_of(session.ehr, render(request, "smartapp/part.html", shown))


@require_GET
@stops_plainly
def plot(
    request: HttpRequest, session_id: uuid.UUID, assessment_id: uuid.UUID, name: str, size: str, theme: str
) -> HttpResponse:
    """An image of the page: waterfall, or the panel of that number. An <img>, so that no style of it touches the page."""
    session = sessions.required(request, session_id)
    section = Section(answers.answer_of(answers.required(session, assessment_id)), session)
    colours = THEMES.get(theme)
    if colours is None or size not in plots.SIZES or section.context is None:
        raise Http404("no such plot")
    if name == "waterfall" and section.estimate:
        spec = plots.waterfall(section.estimate, size=size, theme=colours)
    elif name.isdecimal() and int(name) < len(section.panels):
        trend = section.panels[int(name)].trend
        spec = plots.over_time(trend, section.context, titles=section.titles, theme=colours)
    else:
        raise Http404("no such plot")
    response = HttpResponse(svg(spec, colours), content_type="image/svg+xml")
    return in_frame_of(session.ehr, response)


@csrf_exempt  # the form carries a token of the session instead: `sessions.form_token` says why
@require_POST
@stops_plainly
def save(request: HttpRequest, session_id: uuid.UUID, assessment_id: uuid.UUID) -> HttpResponse:
    """Read the patient again, and write only if it is the one that the clinician saw."""
    about, seen = str(assessment_id), request.POST.get("seen", "")
    session = sessions.pressed(request, session_id, about, otherwise=Reason.FORM_OVER)
    assessment, patient = answers.required(session, assessment_id), read_patient(session)
    sessions.require_form_token(seen, session, about, patient.as_seen(), otherwise=Reason.OTHER_PATIENT)
    grant = session.grant
    client = bearer_client(session.ehr, grant.token)
    try:
        write_back(assessment, client=client, patient=patient, confirmed_by=grant.user, may=grant.may)
    except (BadInput, WriteBackOff) as error:
        raise Stopped(Reason.NOT_SAVED, ehr=session.ehr) from error
    return answers.shown_again(assessment, session)


def _section(answer: answers.Answer, session: SmartSession, patient: PatientIdentity) -> dict[str, object]:
    """What the section's template needs: the section, and the tokens of its forms."""
    about = str(answer.assessment.id) if answer.assessment else ""
    return {
        "section": Section(answer, session),
        "token": sessions.form_token(session, about),
        "call_off_token": sessions.form_token(session, calling_off.FORM, about),
        "confirm_token": sessions.form_token(session, confirm.FORM, about),
        "retract_token": sessions.form_token(session, retract.FORM, about),
        "seen": sessions.form_token(session, about, patient.as_seen()),
        "base_url": settings.BASE_URL,
    }
