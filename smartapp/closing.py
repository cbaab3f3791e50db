"""Close: the clinician is done, and the EHR gets its tokens back."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from smartapp import sessions
from smartapp.stops import Reason, Stopped, stop_page, stops_plainly


@csrf_exempt  # the form carries a token of the session instead: `sessions.form_token` says why
@require_POST
@stops_plainly
def logout(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    session = sessions.pressed(request, session_id, "logout", otherwise=Reason.FORM_OVER)
    given_back = sessions.end(session, why="asked")
    closed = Reason.CLOSED if given_back else Reason.CLOSED_HERE
    response = stop_page(request, Stopped(closed, ehr=session.ehr))
    sessions.forget(response, session)
    return response
