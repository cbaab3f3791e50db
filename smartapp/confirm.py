"""Confirm: a clinician has read a saved result and vouches for it, in their own name."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from cds.connect import bearer_client
from cds.errors import BadInput
from cds.writeback import NotNow, WriteBackOff, confirm
from smartapp import answers, sessions
from smartapp.banner import read_patient
from smartapp.stops import Reason, Stopped, stops_plainly

FORM = "confirm"


@csrf_exempt  # the form carries a token of the session instead: `sessions.form_token` says why
@require_POST
@stops_plainly
def vouch(request: HttpRequest, session_id: uuid.UUID, assessment_id: uuid.UUID) -> HttpResponse:
    """As with saving, the patient is read again and must be the one that the clinician saw."""
    about, seen = str(assessment_id), request.POST.get("seen", "")
    session = sessions.pressed(request, session_id, FORM, about, otherwise=Reason.NOT_CONFIRMED)
    assessment, patient = answers.required(session, assessment_id), read_patient(session)
    sessions.require_form_token(seen, session, about, patient.as_seen(), otherwise=Reason.OTHER_PATIENT)
    grant = session.grant
    client = bearer_client(session.ehr, grant.token)
    try:
        confirm(assessment, client=client, patient=patient, by=grant.user, name=grant.user_name, may=grant.may)
    except (BadInput, NotNow, WriteBackOff) as error:
        raise Stopped(Reason.NOT_CONFIRMED, ehr=session.ehr) from error
    return answers.shown_again(assessment, session)
