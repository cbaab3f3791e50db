"""This looks wrong: what a clinician tells us about an answer, kept for the people who look after the service."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from cds.errors import BadInput
from cds.feedback import report_wrong
from smartapp import answers, sessions
from smartapp.frames import in_frame_of
from smartapp.stops import Reason, Stopped, stops_plainly

LONGEST_COMMENT = 2000  # characters, as the form says too


@csrf_exempt  # the form carries a token of the session instead: `sessions.form_token` says why
@require_POST
@stops_plainly
def report(request: HttpRequest, session_id: uuid.UUID, assessment_id: uuid.UUID) -> HttpResponse:
    session = sessions.pressed(request, session_id, str(assessment_id), otherwise=Reason.FORM_OVER)
    assessment = answers.required(session, assessment_id)
    reason, comment = request.POST.get("reason", ""), request.POST.get("comment", "").replace("\r\n", "\n")
    if len(comment) > LONGEST_COMMENT:
        raise Stopped(Reason.NOT_REPORTED, ehr=session.ehr)
    try:
        report_wrong(assessment, actor=session.grant.actor, reason=reason, comment=comment)
    except BadInput as error:
        raise Stopped(Reason.NOT_REPORTED, ehr=session.ehr) from error
    page = reverse("page", kwargs={"session_id": session.id})
    response = HttpResponseRedirect(f"{page}#wrong-{assessment.service_id}")
    response.status_code = 303
    return in_frame_of(session.ehr, response)
