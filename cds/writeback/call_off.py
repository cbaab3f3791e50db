"""The verb: what is not saved yet is not to be; by who asked for it, by an administrator, or since the patient opted out.

The answer still counts, other than after a retraction. What an archive has stays there.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from cds import audit
from cds.errors import BadInput
from cds.fhir.client import FhirServer
from cds.models import Assessment, Ehr, WriteBack
from cds.writeback import outbox, undo
from cds.writeback.allowed import require_same
from cds.writeback.hand import Hand, May, as_the_server_says
from cds.writeback.retract import NotYours, is_theirs
from cds.writeback.standing import may_stand, of
from cds.writeback.work import mark_what_waits

Aim, Status = WriteBack.Aim, WriteBack.Status
SAVING = (Aim.WRITE, Aim.CONFIRM)  # what is marked must be, and is not called off


def call_off(assessment: Assessment, *, client: FhirServer, by: str, may: May = as_the_server_says) -> None:
    """By a clinician (fhirUser) with the session's own token; again, it goes on with what was not taken back yet.

    Raises NotYours if somebody else asked for it, BadInput while it is just being sent.
    """
    hand = Hand(client=client, may=may, caller=assessment.ehr.pseudonym(by))
    require_same(assessment, hand)
    if not is_theirs(assessment, by):
        raise NotYours("somebody else saved it; nothing was called off")
    rows = assessment.write_backs.all()
    stopped = stop(assessment, rows, actor=hand.caller, failure="It was called off by who had asked for it.")
    if not stopped and not rows.filter(aim=Aim.UNDO).exists():
        raise BadInput("it is just being sent, or there is nothing to call off")
    mark_what_waits(assessment, asked={"confirmed_by": by, "seen_key": ""}, lend=lambda: hand)


def call_off_all(ehr: Ehr, patient_key: str, *, actor: str, failure: str) -> None:
    """Of one patient; Bedside takes back what is half written as soon as it can."""
    unsent = WriteBack.objects.filter(status__in=outbox.UNSENT)
    for one in Assessment.objects.filter(ehr=ehr, patient_key=patient_key, write_backs__in=unsent).distinct():
        stop(one, one.write_backs.all(), actor=actor, failure=failure)


def stop(assessment: Assessment, rows: QuerySet[WriteBack], *, actor: str, failure: str, reason: str = "") -> int:
    """Those of `rows` that are its own and wait to be written or confirmed; how many. `failure`: what they will say."""
    own = rows.filter(assessment=assessment, aim__in=SAVING)
    with transaction.atomic():
        stood = may_stand(assessment)
        stopped = outbox.call_off(own, failure=failure, reason=reason)
        if not stopped:
            return 0
        chart = of(assessment)
        if stood and chart is not None and chart.status == Status.DECLINED:
            undo.begin(assessment)
        audit.record(
            "call-off",
            actor=actor,
            ehr=assessment.ehr,
            patient_key=assessment.patient_key,
            subject=str(assessment.pk),
            reason=reason or failure,
        )
    return stopped
