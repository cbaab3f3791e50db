"""Break the glass: a restricted chart is opened for a reason, in one session, and the audit keeps who and why.

The audit entry is the permission: what nobody can look up later does not open a chart.
"""

from __future__ import annotations

from cds import audit
from cds.models import AuditEntry
from smartapp.models import SmartSession
from smartapp.stops import Reason, Stopped

REASONS = {
    "treating": "I am treating this patient",
    "standing-in": "I stand in for somebody who is",
    "emergency": "An emergency",
    "patient-asked": "The patient asked me to",
}
FORM = "open"  # what the form's token is bound to
_ACTION = "break-glass"


def broken(session: SmartSession) -> bool:
    """Has this session given its reason?"""
    entries = AuditEntry.objects.filter(patient_key=session.ehr.pseudonym(session.grant.patient_id), action=_ACTION)
    return entries.filter(ehr=session.ehr, subject=str(session.id)).exists()


def give_reason(session: SmartSession, reason: str) -> None:
    """One of REASONS; anything else opens nothing, and the page asks again."""
    if reason in REASONS:
        _record(_ACTION, session, reason=reason)


def record_closed(session: SmartSession) -> None:
    """Somebody came to a restricted chart and was asked why."""
    _record("restricted", session)


def require_willing(session: SmartSession) -> None:
    """A patient who opted out is not read, not even to show a name."""
    if session.ehr.opted_out(session.grant.patient_id):
        _record("opted-out", session)
        raise Stopped(Reason.OPTED_OUT, ehr=session.ehr)


def _record(action: str, session: SmartSession, **detail: str) -> None:
    grant = session.grant
    audit.record(
        action,
        actor=grant.actor,
        ehr=session.ehr,
        patient_id=grant.patient_id,
        subject=str(session.id),
        **detail,
    )
