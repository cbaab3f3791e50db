"""The verb: an answer that should not have been saved is taken back, by who saved it or by a safety officer.

What stands in the chart becomes entered-in-error; what is on its way is not written; the answer says nothing any more.
What an archive has stays there: DICOM has no way to take it back from outside.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import CharField
from django.db.models.functions import Cast
from django.utils import timezone

from cds import audit
from cds.approval import reason
from cds.errors import BadInput, CdsError
from cds.fhir.client import FhirServer
from cds.models import Assessment, WriteBack
from cds.writeback import outbox, supersede
from cds.writeback.allowed import require_same
from cds.writeback.hand import Hand, May, as_the_server_says
from cds.writeback.standing import may_stand
from cds.writeback.work import mark_what_waits

Aim, Target = WriteBack.Aim, WriteBack.Target
# What a clinician may choose, in the words that the chart will say.
REASONS = {
    "patient": "it is about another patient",
    "facts": "a value or a diagnosis that it rests on is wrong",
    "mistake": "it was saved by mistake",
    "other": "a clinician found that it is wrong",
}


class NotYours(CdsError):
    """Somebody else saved it."""

    status = 403


def retract(
    assessment: Assessment,
    *,
    client: FhirServer,
    by: str,
    why: str,
    may: May = as_the_server_says,
) -> None:
    """By a clinician (fhirUser) with the session's own token; again, it goes on with what did not go through.

    `why`: a key of REASONS. Raises BadInput for another one, NotYours if somebody else saved it.
    """
    hand = Hand(client=client, may=may, caller=assessment.ehr.pseudonym(by))
    require_same(assessment, hand)
    if assessment.retracted_at is None:
        if why not in REASONS:
            raise BadInput("none of the reasons was chosen; nothing was retracted")
        if not is_theirs(assessment, by):
            raise NotYours("somebody else saved it; nothing was retracted")
        _begin(assessment, why=REASONS[why], fhir_user=by, actor=hand.caller)
    mark_what_waits(assessment, asked={"confirmed_by": by, "seen_key": ""}, lend=lambda: hand)


def retract_for_safety(assessment: Assessment, *, by: str, why: str) -> None:
    """By a safety officer. `by`: who, in any words that tell them apart; `why`: for the chart, so no name.

    Bedside changes the chart by itself where it can, else with the next clinician who opens the answer.
    """
    said = reason(why)[:200]
    if assessment.retracted_at is not None:
        raise BadInput("This was retracted already.")
    _begin(assessment, why=said, fhir_user="", actor=assessment.ehr.pseudonym(by))


def retract_merged(assessment: Assessment, *, why: str) -> None:
    """Its facts are not those of one person's whole record any more. Under no fingerprint it is found again: should the
    same facts be that some day, they are asked about anew.
    """
    _begin(assessment, why=why, fhir_user="", actor=audit.US)
    Assessment.objects.filter(pk=assessment.pk).update(fingerprint=Cast("pk", CharField()))


def is_theirs(assessment: Assessment, fhir_user: str) -> bool:
    """Did they confirm it; if nobody has, did they save it, or nobody, as by the policy `auto`?"""
    asked = _asked(assessment, Aim.CONFIRM) or _asked(assessment, Aim.WRITE)
    return bool(asked) and asked <= {"", fhir_user}


def _asked(assessment: Assessment, aim: str) -> set[str]:
    return {bytes(row.requested_by or b"").decode() for row in assessment.write_backs.filter(aim=aim)}


def _begin(assessment: Assessment, *, why: str, fhir_user: str, actor: str) -> None:
    """From now on it counts no more, whatever becomes of the chart. Who is second changes nothing."""
    now = timezone.now()
    with transaction.atomic():
        fresh = Assessment.objects.filter(pk=assessment.pk, retracted_at=None)
        if not fresh.update(retracted_at=now, retraction=why):
            return
        assessment.refresh_from_db(fields=["retracted_at", "retraction"])
        stands = may_stand(assessment)
        _call_off(assessment)
        if stands:
            outbox.entered(assessment, Target.CHART, aim=Aim.RETRACT, confirmed_by=fhir_user, seen_key="")
        supersede.without(assessment, confirmed_by=fhir_user)
        audit.record(
            "retract",
            actor=actor,
            ehr=assessment.ehr,
            patient_key=assessment.patient_key,
            subject=str(assessment.pk),
            reason=why,
        )


def _call_off(assessment: Assessment) -> None:
    for aim, done in {Aim.WRITE: "written", Aim.CONFIRM: "confirmed"}.items():
        outbox.call_off(assessment.write_backs.filter(aim=aim), failure=f"It was retracted before it was {done}.")
