"""One try at one row: it is done, or tried again, or waits for somebody; the row says which, and the audit says who."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from django.db import transaction
from django.utils import timezone

from cds import audit
from cds.errors import CdsError, FhirError, Gone, MergedPatient
from cds.models import Assessment, WriteBack
from cds.writeback import outbox, undo, words
from cds.writeback.allowed import WriteBackOff, require_allowed
from cds.writeback.alone import NeedsClinician, can
from cds.writeback.archive import into_archive
from cds.writeback.chart import into_chart
from cds.writeback.hand import Lend
from cds.writeback.mark import mark_in_chart
from cds.writeback.plan import Declined
from cds.writeback.standing import unmarked
from cds.writeback.supersede import enter_earlier

logger = logging.getLogger(__name__)

Aim, Status, Target = WriteBack.Aim, WriteBack.Status, WriteBack.Target
_LATER = {401, 409, 423}  # the session is over, or somebody else is changing it: another try may go through


def carry_out(row: WriteBack, lend: Lend) -> None:
    """Work on a row that is ours. Does not raise: what went wrong stands in the row and, in detail, in the log."""
    _note(row, step="begun")
    with suppress(outbox.Overtaken):  # by somebody who works on it now, and says how it ends
        _carry_out(row, lend)
        _note(row, step=row.status)


def _carry_out(row: WriteBack, lend: Lend) -> None:
    """Raises Overtaken."""
    try:
        if row.aim not in {
            Aim.RETRACT,
            Aim.UNDO,
        }:  # which take back what should not be there, whatever is allowed by now
            require_allowed(row.assessment, confirmed=bool(row.requested_by))
        _WAYS[row.aim, row.target](row, lend)
        with transaction.atomic():
            outbox.finish(row, status=Status.SENT, sent_at=timezone.now())
            enter_earlier(row)
            undo.forget(row)
    except outbox.Overtaken:
        raise
    except NeedsClinician as error:
        outbox.finish(row, status=Status.WAITING, failure=words.said(error))
    except (Declined, WriteBackOff) as error:
        _stop(row, status=Status.DECLINED, failure=words.said(error))
    except CdsError as error:
        logger.warning("write-back %s of assessment %s failed: %s", _named(row), row.assessment_id, words.kind(error))
        _failed(row, error)
    except Exception as error:  # the outermost edge of the work: whatever it is, it becomes a visible failure
        logger.exception("write-back %s of assessment %s failed", _named(row), row.assessment_id)
        outbox.finish(row, status=Status.FAILED, failure=words.unexpected(error))


def mark_what_waits(assessment: Assessment, *, asked: outbox.Asked, lend: Lend) -> None:
    """A clinician's session is at hand: what is still to be marked of this service's answers about this patient."""
    for row in unmarked(assessment):
        if outbox.press(row, **asked):
            carry_out(row, lend)


_WAYS: dict[tuple[str, str], Callable[[WriteBack, Lend], None]] = {
    (Aim.WRITE, Target.CHART): into_chart,
    (Aim.WRITE, Target.ARCHIVE): into_archive,
    (Aim.SUPERSEDE, Target.CHART): mark_in_chart,
    (Aim.RETRACT, Target.CHART): mark_in_chart,
    (Aim.UNDO, Target.CHART): mark_in_chart,
    (Aim.CONFIRM, Target.CHART): mark_in_chart,
    (Aim.CONFIRM, Target.ARCHIVE): into_archive,
}


def _failed(row: WriteBack, error: CdsError) -> None:
    failure = words.said(error)
    later = error.retry or (isinstance(error, FhirError) and error.http_status in _LATER)
    if isinstance(error, Gone | MergedPatient):
        _stop(row, status=Status.FAILED, failure=failure)
    elif not later:
        outbox.finish(row, status=Status.FAILED, failure=failure)
    elif outbox.given_up(row):
        outbox.finish(row, status=Status.FAILED, failure=words.given_up(failure))
    elif goes_on_alone(row):
        outbox.postpone(row, failure=failure, retry_after=error.retry_after)
    else:
        outbox.finish(row, status=Status.WAITING, failure=failure)


def _stop(row: WriteBack, *, status: WriteBack.Status, failure: str) -> None:
    """Nobody can finish it, so what is half written must not stay."""
    with transaction.atomic():
        outbox.finish(row, status=status, failure=failure)
        undo.enter(row)


def goes_on_alone(row: WriteBack) -> bool:
    """Can it be sent without a clinician's session? A report that is built can, and what our own access covers."""
    return row.payload is not None or can(row.assessment.ehr)


def _named(row: WriteBack) -> str:
    return row.target if row.aim == Aim.WRITE else f"{row.aim} {row.target}"


def _note(row: WriteBack, *, step: str) -> None:
    ehr, fhir_user = row.assessment.ehr, bytes(row.requested_by or b"").decode()
    audit.record(
        "write-back",
        actor=ehr.pseudonym(fhir_user) if fhir_user else audit.US,
        ehr=ehr,
        patient_key=row.assessment.patient_key,
        subject=str(row.assessment_id),
        aim=row.aim,
        target=row.target,
        step=step,
        form=row.form,
        made=len(row.resources),
    )
