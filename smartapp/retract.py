"""Retract: a clinician takes back what they saved, with a reason that the chart will say."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from cds.connect import bearer_client
from cds.errors import BadInput
from cds.writeback import NotYours, retract
from smartapp import answers, sessions
from smartapp.stops import Reason, Stopped, stops_plainly

FORM = "retract"


@csrf_exempt  # the form carries a token of the session instead: `sessions.form_token` says why
@require_POST
@stops_plainly
def take_back(request: HttpRequest, session_id: uuid.UUID, assessment_id: uuid.UUID) -> HttpResponse:
    """Again, it goes on with what did not reach the chart."""
    session = sessions.pressed(request, session_id, FORM, str(assessment_id), otherwise=Reason.NOT_RETRACTED)
    assessment, grant = answers.required(session, assessment_id), session.grant
    client, why = bearer_client(session.ehr, grant.token), request.POST.get("reason", "")
    try:
        retract(assessment, client=client, by=grant.user, why=why, may=grant.may)
    except (BadInput, NotYours) as error:
        raise Stopped(Reason.NOT_RETRACTED, ehr=session.ehr) from error
    return answers.shown_again(assessment, session)
