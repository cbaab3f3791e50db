"""To whom a new answer is owed. Several notifications about one patient within minutes are one asking."""

from __future__ import annotations

import re
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from cds.facts import FHIR_ID
from cds.models import Ehr, Rescoring

SETTLES = timedelta(seconds=30)  # a panel's results come one after the other
AT_MOST_EVERY = timedelta(minutes=5)


def owe(ehr: Ehr, patient_id: str) -> None:
    """Due shortly, but not so soon after the last time. Nothing is kept of who opted out."""
    if not re.fullmatch(FHIR_ID, patient_id) or ehr.opted_out(patient_id):
        return
    now = timezone.now()
    key = ehr.pseudonym(patient_id)
    with transaction.atomic():
        Rescoring.objects.get_or_create(ehr=ehr, patient_key=key)
        row = Rescoring.objects.select_for_update().get(ehr=ehr, patient_key=key)
        soonest = max(now + SETTLES, row.done_at + AT_MOST_EVERY if row.done_at else now)
        row.patient_id, row.told_at = patient_id.encode(), now
        row.due_at = min(row.due_at, soonest) if row.due_at and not row.tries else soonest
        row.failure, row.tries = "", 0
        row.save()
