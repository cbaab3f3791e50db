"""A patient says no, or yes again: from then on nothing is scored, stored or trained on, and what was kept of facts goes.

Answers that clinicians were given stay, since care was based on them; under a legal hold the facts stay too.
"""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.db.models import CharField
from django.db.models.functions import Cast
from django.utils import timezone

from cds import audit
from cds.leaving import leave
from cds.models import Assessment, Ehr, OptOut, PopulationResult, Replayed
from cds.retention import forget
from cds.writeback import call_off_all
from scoring.models import Prediction


def opt_out(ehr: Ehr, patient_id: str, *, actor: str) -> bool:
    """Was it news? Only a keyed hash of the id is kept."""
    return opt_out_by_key(ehr, ehr.pseudonym(patient_id), actor=actor)


def opt_out_by_key(ehr: Ehr, key: str, *, actor: str) -> bool:
    """The same, of a patient whose id is not known here. Where the record goes on in another one, the no goes there, too."""
    with transaction.atomic():
        _, created = OptOut.objects.get_or_create(ehr=ehr, patient_key=key)
        assessments = Assessment.objects.filter(ehr=ehr, patient_key=key)
        queued = assessments.filter(status=Assessment.Status.QUEUED)
        queued.update(status=Assessment.Status.EXPIRED, finished_at=timezone.now())
        # Under no fingerprint they are found again, should the patient say yes today with the same facts.
        assessments.update(fingerprint=Cast("pk", CharField()))
        Prediction.objects.filter(case__in=assessments.values("pk")).delete()
        leave(ehr, [key], PopulationResult.Left.OPTED_OUT)
        call_off_all(ehr, key, actor=actor, failure="The patient has opted out.")
        if created:
            audit.record("opt-out", actor=actor, ehr=ehr, patient_key=key)
        for merge in ehr.merges.filter(from_key=key, undone_at=None):
            if not ehr.opt_outs.filter(patient_key=merge.into_key).exists():
                opt_out_by_key(ehr, merge.into_key, actor=actor)
    if not settings.AUDIT_HOLD:
        forget(assessments)
        Replayed.objects.filter(assessment__in=assessments).delete()  # a reviewer's page repeats facts
    return created


def withdraw(row: OptOut, *, actor: str) -> None:
    """The patient takes part again; what was forgotten stays forgotten."""
    with transaction.atomic():
        audit.record("opt-in", actor=actor, ehr=row.ehr, patient_key=row.patient_key)
        row.delete()
