"""The newest answer of a service about a patient counts; what stands in the chart of earlier ones is marked so."""

from __future__ import annotations

from cds.models import Assessment, WriteBack
from cds.writeback import outbox
from cds.writeback.standing import of_the_same

Aim = WriteBack.Aim


def enter_earlier(row: WriteBack) -> None:
    """After a write into the chart: whichever of the answers is the newest, the others are superseded by it."""
    if row.aim != Aim.WRITE or row.target != WriteBack.Target.CHART:
        return
    standing = list(of_the_same(row.assessment).select_related("assessment").order_by("assessment__created_at"))
    for earlier in standing[:-1]:
        asked: outbox.Asked = {"confirmed_by": bytes(row.requested_by or b"").decode(), "seen_key": ""}
        newest = standing[-1].assessment
        marking = outbox.entered(
            earlier.assessment, WriteBack.Target.CHART, aim=Aim.SUPERSEDE, successor=newest, **asked
        )
        if marking.successor is None:  # it counted again, for a while
            outbox.reopen(marking, successor=newest, requested_by=row.requested_by)


def without(retracted: Assessment, *, confirmed_by: str) -> None:
    """What it had superseded is superseded by the newest that is left, or is itself that one."""
    for marking in WriteBack.objects.filter(aim=Aim.SUPERSEDE, successor=retracted).select_related("assessment"):
        newest = of_the_same(marking.assessment).order_by("assessment__created_at").last()
        successor = newest.assessment if newest and newest.assessment_id != marking.assessment_id else None
        if successor is None and not marking.tries:
            marking.delete()  # nobody has marked it yet
        else:
            asked = {"requested_by": confirmed_by.encode()} if confirmed_by else {}
            outbox.reopen(marking, successor=successor, **asked)
