"""A question becomes a row: the same facts, versions and threshold on the same local day have one assessment."""

from __future__ import annotations

from typing import Any

from django.db.models import CharField, DateTimeField, Exists, IntegerField
from django.utils import timezone

from cds import assess as verb
from cds.context import PatientContext
from cds.models import Assessment, Ehr, EnabledService, Merge, OptOut, Snooze
from cds.prepared import Question, insert_unless_there
from cds.service import DecisionService
from scoring import shelf

_known = Question(
    lambda ehr, service_id, fingerprint: Assessment.objects.filter(
        ehr=ehr, service_id=service_id, fingerprint=fingerprint
    ).defer("snapshot"),
    ehr=IntegerField(),
    service_id=CharField(),
    fingerprint=CharField(),
)
_enabled = Question(
    lambda ehr, service_id: EnabledService.objects.filter(ehr=ehr, service_id=service_id),
    ehr=IntegerField(),
    service_id=CharField(),
)


def _about(ehr: Any, service_id: Any, patient_key: Any, now: Any) -> dict[str, Exists]:
    """What else must be known before this patient is asked about; EnabledService says what each of them means."""
    snoozes = Snooze.objects.filter(ehr=ehr, patient_key=patient_key, service_id=service_id, until__gt=now)
    return {
        "opted_out": Exists(OptOut.objects.filter(ehr=ehr, patient_key=patient_key)),
        "merged": Exists(Merge.told_by(ehr, patient_key)),
        "snoozed": Exists(snoozes),
    }


_enabled_for = Question(
    lambda ehr, service_id, patient_key, now: EnabledService.objects.filter(ehr=ehr, service_id=service_id).annotate(
        **_about(ehr, service_id, patient_key, now)
    ),
    ehr=IntegerField(),
    service_id=CharField(),
    patient_key=CharField(),
    now=DateTimeField(),
)


def open_assessment(
    *, service: DecisionService, here: EnabledService, context: PatientContext, apart: str = ""
) -> tuple[Assessment, bool]:
    """The row of this fingerprint, and whether it must be queued: it is new, or its last try failed."""
    ehr = here.ehr
    model_version, threshold = _versions(service, here)
    fingerprint = verb.fingerprint(service, context, model_version=model_version, threshold=threshold, apart=apart)
    key = {"ehr": ehr.pk, "service_id": service.id, "fingerprint": fingerprint}
    known = _known(**key)
    if not known:
        fresh = verb.ticket(ehr, service, context, model_version=model_version, threshold=threshold, key=fingerprint)
        if insert_unless_there(fresh):
            return fresh, True
        known = _known(**key)  # another request was quicker
    (assessment,) = known
    assessment.ehr = ehr
    return assessment, assessment.status == Assessment.Status.FAILED and _again(assessment)


def _versions(service: DecisionService, here: EnabledService) -> tuple[str, float]:
    """What is in force, or what an experiment drew."""
    if here.arm:
        return here.arm.model_version, here.arm.threshold
    threshold = service.threshold if here.threshold is None else here.threshold
    return shelf.active_version(service.model) if service.model else "", threshold


def _again(assessment: Assessment) -> bool:
    """A failed assessment goes back into the queue, once for all who ask at the same time."""
    failed = Assessment.objects.filter(pk=assessment.pk, status=Assessment.Status.FAILED)
    return bool(failed.update(status=Assessment.Status.QUEUED, queued_at=timezone.now()))


def enabled(ehr: Ehr, service: DecisionService) -> EnabledService:
    """How this service runs at this EHR; one that nobody has set up is silent."""
    (row,) = _enabled(ehr=ehr.pk, service_id=service.id) or [EnabledService(service_id=service.id)]
    row.ehr = ehr
    return row


def enabled_for(ehr: Ehr, service: DecisionService, patient_key: str) -> EnabledService:
    """The same, with what else must be known before this patient is asked about: one statement costs less than four."""
    rows = _enabled_for(ehr=ehr.pk, service_id=service.id, patient_key=patient_key, now=timezone.now())
    if not rows:
        rows = [EnabledService(service_id=service.id)]
        rows[0].opted_out = ehr.opted_out_by_key(patient_key)
    rows[0].ehr = ehr
    return rows[0]
