"""What is half written of a save that nobody can finish is taken back, by a row of its own.

Deleted where the EHR and our permissions allow it, since nobody was told that it is there; else entered in error.
"""

from __future__ import annotations

from cds.models import Assessment, WriteBack
from cds.writeback import outbox

Aim, Target = WriteBack.Aim, WriteBack.Target


def enter(row: WriteBack) -> None:
    """After the last try of a write into the chart, if anything of it stands there or may."""
    into_chart = row.aim == Aim.WRITE and row.target == Target.CHART
    if into_chart and (row.resources or row.delays) and not _retracted(row.assessment):
        begin(row.assessment)


def begin(assessment: Assessment) -> None:
    """It is taken back as soon as may be; killed in between, somebody goes on."""
    row = outbox.entered(assessment, Target.CHART, aim=Aim.UNDO, confirmed_by="", seen_key="")
    if row.written:  # an earlier half, and that one is gone
        outbox.reopen(row)


def forget(row: WriteBack) -> None:
    """Once it is taken back, nothing stands there from which a later save could go on."""
    if row.aim == Aim.UNDO:
        taken_back = WriteBack.objects.filter(assessment=row.assessment, target=Target.CHART, aim=Aim.WRITE)
        taken_back.update(steps={}, resources=[])


def _retracted(assessment: Assessment) -> bool:
    """A moment ago, perhaps; then that marks it."""
    return Assessment.objects.filter(pk=assessment.pk).exclude(retracted_at=None).exists()
