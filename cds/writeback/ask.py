"""What an administrator asks of the outbox, with a reason that is kept and audited."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from cds import audit
from cds.approval import reason
from cds.models import Assessment, KnownLimit, WriteBack
from cds.writeback import outbox
from cds.writeback.call_off import stop


def send_again(row_ids: Iterable[int], *, by: str, why: str) -> int:
    """Queue what waits or failed and was not called off; how many. What their EHRs refused before is asked for again.

    `by`: who, in any words that tell them apart; the audit keeps a keyed hash.
    """
    said = reason(why)[:200]
    with transaction.atomic():
        rows = list(outbox.resendable(WriteBack.objects.filter(pk__in=row_ids)).select_related("assessment__ehr"))
        for row in rows:
            _note("send-again", row, by=by, reason=said)
        KnownLimit.objects.filter(ehr__in={row.assessment.ehr_id for row in rows}).delete()
        return outbox.again(WriteBack.objects.filter(pk__in=[row.pk for row in rows]), reason=said)


def call_off(row_ids: Iterable[int], *, by: str, why: str) -> int:
    """What is not sent yet will not be, and half of a chart is taken back; how many."""
    said, rows = reason(why)[:200], WriteBack.objects.filter(pk__in=row_ids)
    with transaction.atomic():
        about = Assessment.objects.filter(pk__in=rows.values("assessment")).select_related("ehr")
        return sum(
            stop(one, rows, actor=one.ehr.pseudonym(by), failure="An administrator called it off.", reason=said)
            for one in about
        )


def forget(limit: KnownLimit, *, by: str) -> None:
    """It is asked for again with the next answer."""
    with transaction.atomic():
        what = f"{limit.resource} {limit.interaction}".strip()
        audit.record("forget-limit", actor=limit.ehr.pseudonym(by), ehr=limit.ehr, subject=what)
        limit.delete()


def _note(action: str, row: WriteBack, *, by: str, reason: str) -> None:
    ehr, about = row.assessment.ehr, row.assessment
    audit.record(
        action,
        actor=ehr.pseudonym(by),
        ehr=ehr,
        patient_key=about.patient_key,
        subject=str(about.pk),
        target=row.target,
        reason=reason,
    )
