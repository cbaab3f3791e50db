"""The verb: a clinician has read what is saved and vouches for it, in the chart and in the archive, by name.

Saving lets a result be kept; this is more (docs/decisions/009-saving-is-not-signing.md). Once, by one clinician: whoever
is second finds it confirmed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cds.errors import CdsError
from cds.fhir.client import FhirServer
from cds.identity import PatientIdentity
from cds.models import Assessment, WriteBack
from cds.writeback import outbox
from cds.writeback.allowed import require_allowed, require_same, seen_key
from cds.writeback.hand import Hand, May, as_the_server_says
from cds.writeback.work import carry_out

Aim, Form, Status, Target = WriteBack.Aim, WriteBack.Form, WriteBack.Status, WriteBack.Target
_CLINICIAN = re.compile(r"(^|/)(Practitioner|PractitionerRole)/[A-Za-z0-9.-]{1,64}$")
_PROVENANCE = "Provenance"


class NotNow(CdsError):
    """It cannot be confirmed, or not by them; the message is for people."""

    status = 409


def confirm(
    assessment: Assessment,
    *,
    client: FhirServer,
    patient: PatientIdentity,
    by: str,
    name: str,
    may: May = as_the_server_says,
) -> list[WriteBack]:
    """One row for each place where it is saved; again, it goes on with what did not go through.

    `by`: fhirUser; `name`: theirs, as the report in the archive will say it. `patient`: as read just now.
    Raises NotNow, and WriteBackOff where nothing may be written.
    """
    hand = Hand(client=client, patient=patient, may=may, caller=assessment.ehr.pseudonym(by))
    require_allowed(assessment)
    require_same(assessment, hand)
    if why := obstacle(assessment, by=by, name=name, may=may):
        raise NotNow(why)
    asked: outbox.Asked = {"confirmed_by": by, "seen_key": seen_key(assessment, patient)}
    rows = [
        outbox.entered(assessment, Target(one.target), aim=Aim.CONFIRM, requested_name=name.encode(), **asked)
        for one in saved(assessment)
    ]
    if why := _by_another(rows, by):  # at the same moment
        raise NotNow(why)
    for row in rows:
        if outbox.press(row, **asked):
            carry_out(row, lambda: hand)
    return rows


def saved(assessment: Assessment) -> list[WriteBack]:
    """Where it stands; [] as long as anything is on its way, and where half of it was taken back."""
    rows = list(assessment.write_backs.filter(aim__in=[Aim.WRITE, Aim.UNDO]))
    over = all(row.status in {Status.SENT, Status.DECLINED} and not (row.aim == Aim.UNDO and row.left) for row in rows)
    return [row for row in rows if row.written and row.aim == Aim.WRITE] if over else []


def obstacle(assessment: Assessment, *, by: str, name: str, may: May) -> str:
    """Why they cannot confirm it, in a sentence for them; "" if they can."""
    if not saved(assessment):
        return "It can be confirmed once it is saved."
    if assessment.write_backs.filter(aim=Aim.SUPERSEDE).exclude(successor=None).exists():
        return "A newer result was saved, which is the one to confirm."
    if not (_CLINICIAN.search(by) and name):
        return "The record system does not say who you are, so nothing can be confirmed in your name."
    if not any(may(kind, letter) for kind in (*Form.values, _PROVENANCE) for letter in "cu"):
        return "The record system lets you read only: to confirm it, you need its permission to write."
    return _by_another(assessment.write_backs.filter(aim=Aim.CONFIRM), by)


def _by_another(rows: Iterable[WriteBack], by: str) -> str:
    others = any(bytes(row.requested_by or b"").decode() != by for row in rows)
    return "A colleague has confirmed it." if others else ""
