"""Renewal: a new access token for a session whose old one has run out, one request at a time (SMART, "Refresh")."""

from __future__ import annotations

import logging

import msgspec
from django.db import transaction

from cds.errors import CdsError
from smartapp import sessions
from smartapp.launch.tokens import renew
from smartapp.models import Grant, SmartSession
from smartapp.stops import Reason, Stopped

logger = logging.getLogger(__name__)


def renew_token(session: SmartSession) -> None:
    """`session` has a fresh token after this, or it has ended: Stopped.

    The row stays locked meanwhile: a refresh token that is used twice makes the EHR revoke everything.
    """
    with transaction.atomic():
        row = SmartSession.objects.select_for_update(of=("self",)).filter(pk=session.pk).first()
        if row is None or row.grant.refresh_token is None:
            raise Stopped(Reason.SESSION_OVER, ehr=session.ehr)
        grant = row.grant
        if grant.token == session.grant.token:  # else another request was faster
            grant = _renewed(grant, session)
            SmartSession.objects.filter(pk=session.pk).update(encrypted_grant=msgspec.json.encode(grant))
    session.encrypted_grant = msgspec.json.encode(grant)
    if grant.refresh_token is None:
        sessions.end(session, why="not renewed")
        raise Stopped(Reason.SESSION_OVER, ehr=session.ehr)


def _renewed(grant: Grant, session: SmartSession) -> Grant:
    """Without a refresh token if it failed: it is spent all the same."""
    spent = msgspec.structs.replace(grant, refresh_token=None)
    try:
        answer = renew(str(grant.refresh_token), ehr=session.ehr)
    except CdsError as error:
        logger.warning("EHR %s renewed no token: %s", session.ehr_id, type(error).__name__)
        return spent
    if answer.patient not in {None, grant.patient_id}:
        logger.error("EHR %s renewed a token for another patient", session.ehr_id)
        return spent
    following = answer.refresh_token or grant.refresh_token
    return msgspec.structs.replace(grant, token=answer.access_token, scopes=answer.scopes, refresh_token=following)
