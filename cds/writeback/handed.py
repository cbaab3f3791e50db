"""Hand over: where it was agreed, an EHR files what is kept by itself, from the hook's answer (CDS Hooks 2.0.1, "System
Action"). Nobody has confirmed it, so it is preliminary.

What becomes of it Bedside is not told, so it cannot mark it later: docs/decisions/020-system-actions.md.
"""

from __future__ import annotations

from django.utils import timezone

from cds import audit
from cds.fhir.elements import Resource
from cds.fhir.transaction import by_itself
from cds.fhir.versions import R4
from cds.models import Assessment, AuditEntry, EnabledService
from cds.writeback.kept import records

_ACTION = "system-action"


def to_hand_over(assessment: Assessment, here: EnabledService) -> list[Resource]:
    """What the EHR is to create; [] unless the policy says so, for a service that is live, and once for each answer.

    Whoever asks first has it: of two hooks at once one.
    """
    agreed = here.write_back == EnabledService.WriteBackPolicy.HOOK and here.stage == EnabledService.Stage.LIVE
    if not agreed or assessment.outcome is None or assessment.retracted_at or assessment.context.patient.restricted:
        return []
    ours = Assessment.objects.filter(pk=assessment.pk, handed_over_at=None)
    if not ours.update(handed_over_at=timezone.now()):
        return []
    version = (assessment.ehr.dialect or R4).version
    return [by_itself(record, version) for record in records(assessment).chart]


def handed_over(assessment: Assessment, resources: list[Resource], *, actor: str) -> list[AuditEntry]:
    """The line, still to be inserted, that says so."""
    if not resources:
        return []
    key, subject = assessment.patient_key, str(assessment.pk)
    entry = audit.entry(_ACTION, actor=actor, ehr=assessment.ehr, patient_key=key, subject=subject, made=len(resources))
    return [entry]
