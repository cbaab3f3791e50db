"""Hand over: where it was agreed, an EHR files what is kept by itself, from the hook's answer (CDS Hooks 2.0.1, "System
Action"). Nobody has confirmed it, so it is preliminary.

What becomes of it Bedside is not told, so it cannot mark it later: docs/decisions/020-system-actions.md.
"""

from __future__ import annotations

from cds import audit
from cds.fhir.elements import Resource
from cds.fhir.transaction import by_itself
from cds.fhir.versions import R4
from cds.models import Assessment, AuditEntry, EnabledService
from cds.writeback.kept import records

_ACTION = "system-action"


def to_hand_over(assessment: Assessment, here: EnabledService) -> list[Resource]:
    """What the EHR is to create; [] unless the policy says so, for a service that is live, and once for each answer."""
    agreed = here.write_back == EnabledService.WriteBackPolicy.HOOK and here.stage == EnabledService.Stage.LIVE
    if not agreed or assessment.outcome is None or assessment.retracted_at or _is_handed_over(assessment):
        return []
    if assessment.context.patient.restricted:
        return []
    version = (assessment.ehr.dialect or R4).version
    return [by_itself(record, version) for record in records(assessment).chart]


def handed_over(assessment: Assessment, resources: list[Resource], *, actor: str) -> list[AuditEntry]:
    """The line, still to be inserted, that says so; by it the same answer is not handed over again."""
    if not resources:
        return []
    key, subject = assessment.patient_key, str(assessment.pk)
    entry = audit.entry(_ACTION, actor=actor, ehr=assessment.ehr, patient_key=key, subject=subject, made=len(resources))
    return [entry]


def _is_handed_over(assessment: Assessment) -> bool:
    earlier = AuditEntry.objects.filter(patient_key=assessment.patient_key, action=_ACTION)
    return earlier.filter(subject=str(assessment.pk)).exists()
