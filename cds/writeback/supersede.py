"""The newest answer of a service about a patient counts; what stands in the chart of earlier ones is marked so."""

from __future__ import annotations

from django.db.models import QuerySet

from cds.models import Assessment, WriteBack
from cds.writeback import outbox
from cds.writeback.standing import of_the_same

Aim, Status = WriteBack.Aim, WriteBack.Status


def enter_earlier(row: WriteBack) -> None:
    """After a write into the chart: whichever of the answers is the newest, the others are superseded by it."""
    if row.aim != Aim.WRITE or row.target != WriteBack.Target.CHART:
        return
    standing = list(of_the_same(row.assessment).select_related("assessment").order_by("assessment__created_at"))
    for earlier in standing[:-1]:
        outbox.entered(
            earlier.assessment,
            WriteBack.Target.CHART,
            aim=Aim.SUPERSEDE,
            successor=standing[-1].assessment,
            confirmed_by=bytes(row.requested_by or b"").decode(),
            seen_key="",
        )


def waiting(assessment: Assessment) -> QuerySet[WriteBack]:
    """What is still to be marked of this service's answers about this patient."""
    return WriteBack.objects.filter(
        aim=Aim.SUPERSEDE,
        status__in=[Status.QUEUED, Status.WAITING],
        assessment__ehr=assessment.ehr,
        assessment__service_id=assessment.service_id,
        assessment__patient_key=assessment.patient_key,
    ).select_related("assessment__ehr", "successor")
