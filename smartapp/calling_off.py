"""Call off: a clinician does not want saved after all what has not arrived; what is half saved is taken back."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from cds.connect import bearer_client
from cds.errors import BadInput
from cds.writeback import NotYours, call_off
from smartapp import answers, sessions
from smartapp.stops import Reason, Stopped, stops_plainly

FORM = "call-off"


@csrf_exempt  # the form carries a token of the session instead: `sessions.form_token` says why
@require_POST
@stops_plainly
def stop(request: HttpRequest, session_id: uuid.UUID, assessment_id: uuid.UUID) -> HttpResponse:
    """Again, it goes on with what was not taken back yet."""
    session = sessions.pressed(request, session_id, FORM, str(assessment_id), otherwise=Reason.NOT_CALLED_OFF)
    assessment, grant = answers.required(session, assessment_id), session.grant
    client = bearer_client(session.ehr, grant.token)
    try:
        call_off(assessment, client=client, by=grant.user, may=grant.may)
    except (BadInput, NotYours) as error:
        raise Stopped(Reason.NOT_CALLED_OFF, ehr=session.ehr) from error
    return answers.shown_again(assessment, session)
