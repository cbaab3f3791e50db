"""Whether anything may be written: by the hospital's policy, by the patient's word, and about this patient."""

from __future__ import annotations

from cds.errors import BadInput, CdsError
from cds.identity import PatientIdentity
from cds.models import Assessment, EnabledService, WriteBack
from cds.writeback.hand import Hand

Policy = EnabledService.WriteBackPolicy


class WriteBackOff(CdsError):
    """The EHR's policy, or the patient, does not allow it."""

    status = 403


def require_allowed(assessment: Assessment, *, confirmed: bool = True) -> None:
    """At each try: what was allowed when it was asked for may be switched off by now. `confirmed`: by a clinician."""
    ehr = assessment.ehr
    if Assessment.objects.filter(pk=assessment.pk).exclude(retracted_at=None).exists():  # a moment ago, perhaps
        raise WriteBackOff("it was retracted; nothing was written")
    _require_undone(assessment)
    row = EnabledService.objects.filter(ehr=ehr, service_id=assessment.service_id).first()
    if row is None or not row.shown:
        raise WriteBackOff("this service is not shown at this EHR; nothing was written")
    if row.write_back == Policy.OFF:
        raise WriteBackOff("writing back is switched off for this service at this EHR; nothing was written")
    if not confirmed and (row.write_back != Policy.AUTO or row.stage != EnabledService.Stage.LIVE):
        raise WriteBackOff("nobody has confirmed it, and the policy is no longer to write without; nothing was written")
    if ehr.opt_outs.filter(patient_key=assessment.patient_key).exists():
        raise WriteBackOff("the patient has opted out; nothing was written")


def _require_undone(assessment: Assessment) -> None:
    """What an earlier try has left there would be taken for what this one writes."""
    undo = assessment.write_backs.filter(aim=WriteBack.Aim.UNDO).first()
    if undo and not undo.written:
        raise WriteBackOff(
            "it was called off, and what was half written is still to be taken back; nothing was written"
        )
    if undo and undo.left:
        raise WriteBackOff("it was called off, and its half stands there as entered in error; nothing was written")


def require_same(assessment: Assessment, hand: Hand) -> None:
    """One hospital and one patient in the assessment, in the client's token and on the screen."""
    if hand.client.base_uri.rstrip("/") != assessment.ehr.fhir_base.rstrip("/"):
        raise BadInput("the assessment belongs to another EHR; nothing was written")
    if hand.patient and assessment.ehr.pseudonym(hand.patient.id) != assessment.patient_key:
        raise BadInput("the assessment is about another patient; nothing was written")


def seen_key(assessment: Assessment, patient: PatientIdentity | None) -> str:
    """A keyed hash of everything that the banner shows, to notice later that it is no longer the same; "" for nobody."""
    return assessment.ehr.pseudonym(patient.as_seen()) if patient else ""
