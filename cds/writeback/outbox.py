"""The outbox: who works on a row, what is remembered of it, when it is tried again, and when it is given up.

Nothing here knows what is sent or where to.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TypedDict

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from cds.errors import CdsError
from cds.models import Assessment, WriteBack

HELD = timedelta(seconds=60)  # longer than one request may take; begun anew with each step
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
MOST_DELAYS = 90  # nearly three days: a long weekend without the EHR is survived
LONGEST_ASKED = timedelta(days=1)  # that another side may make us wait
AT_A_TIME = 500

Status = WriteBack.Status
UNSENT = (Status.QUEUED, Status.WAITING, Status.FAILED)


class Asked(TypedDict):
    """Who wants it (fhirUser, "" for nobody), and a keyed hash of the patient as they saw them."""

    confirmed_by: str
    seen_key: str


class Overtaken(CdsError):
    """Who held the row was taken for dead, and somebody else works on it now."""


def entered(
    assessment: Assessment,
    target: WriteBack.Target,
    *,
    confirmed_by: str,
    seen_key: str,
    aim: WriteBack.Aim = WriteBack.Aim.WRITE,
    **more: object,
) -> WriteBack:
    """The row; a new one is queued, so that it is not lost if this process dies before its first try."""
    asked = {"requested_by": confirmed_by.encode() or None, "seen_key": seen_key, **more}
    return WriteBack.objects.get_or_create(assessment=assessment, target=target, aim=aim, defaults=asked)[0]


def press(row: WriteBack, *, confirmed_by: str, seen_key: str) -> bool:
    """A clinician wants it written (again). Whether it is ours to send now: not if it is there, or under way."""
    unwritten = _free(row).exclude(status=Status.SENT)
    asked = {"requested_by": confirmed_by.encode() or None, "seen_key": seen_key, "requested_at": timezone.now()}
    return _hold(unwritten, row, **asked, status=Status.QUEUED, delays=0, called_off_at=None)


def reopen(row: WriteBack, **fields: object) -> None:
    """It is wanted otherwise now: all over again. Who holds it changes nothing any more, and what they did is looked for."""
    afresh: dict[str, object] = {
        "steps": {},
        "resources": [],
        "sent_at": None,
        "lacking": "",
        "failure": "",
        "delays": 0,
    }
    now = {"status": Status.QUEUED, "due_at": timezone.now(), "requested_at": timezone.now()}
    nobody = {"held_until": None, "called_off_at": None}
    WriteBack.objects.filter(pk=row.pk).update(tries=F("tries") + 1, **afresh, **now, **nobody, **fields)


def take(row: WriteBack) -> bool:
    """Whether a row that waits is ours to send now."""
    return _hold(_free(row).filter(status=Status.QUEUED), row)


def remember(row: WriteBack, **fields: object) -> None:
    """What is known after a step, so that whoever goes on after a crash does not do it again."""
    _update(row, held_until=timezone.now() + HELD, **fields)


def finish(row: WriteBack, *, status: Status, **fields: object) -> None:
    """No try follows by itself."""
    _update(row, status=status, held_until=None, **fields)


def postpone(row: WriteBack, *, failure: str, retry_after: float | None) -> None:
    """It is tried again: later each time, not at the same moment as others, and not before the other side wants it."""
    wait = min(FIRST_WAIT * 2 ** min(row.delays, 20), LONGEST_WAIT) * random.uniform(0.5, 1)  # noqa: S311 -- no secret
    asked = min(timedelta(seconds=retry_after or 0), LONGEST_ASKED)
    due_at = timezone.now() + max(wait, asked)
    _update(row, held_until=None, due_at=due_at, delays=F("delays") + 1, failure=failure)


def given_up(row: WriteBack) -> bool:
    return row.delays >= MOST_DELAYS


def call_off(rows: QuerySet[WriteBack], *, failure: str, reason: str = "") -> int:
    """What nobody works on is not sent any more; who works on it sees it at the next look. How many."""
    idle = Q(held_until=None) | Q(held_until__lt=timezone.now())
    return rows.filter(idle, status__in=UNSENT).update(
        status=Status.DECLINED, called_off_at=timezone.now(), payload=None, failure=failure, reason=reason
    )


def again(rows: QuerySet[WriteBack], *, reason: str) -> int:
    """Whatever waits or failed is sent again, soon and from the first delay on; how many."""
    return resendable(rows).update(status=Status.QUEUED, due_at=timezone.now(), delays=0, reason=reason)


def resendable(rows: QuerySet[WriteBack]) -> QuerySet[WriteBack]:
    """Not what is there, and not what was called off: only who asked for it may want it again, and says so at the chart."""
    return rows.exclude(status=Status.SENT).filter(called_off_at=None)


def due() -> list[int]:
    """The rows to send now, each handed out once in a while."""
    now = timezone.now()
    found = unsent().filter(due_at__lte=now).filter(Q(held_until=None) | Q(held_until__lt=now))
    rows: list[int] = list(found.order_by("due_at").values_list("pk", flat=True)[:AT_A_TIME])
    WriteBack.objects.filter(pk__in=rows).update(due_at=now + HELD)
    return rows


def unsent() -> QuerySet[WriteBack]:
    """What Bedside sends by itself, at EHRs that are connected."""
    return WriteBack.objects.filter(status=Status.QUEUED, assessment__ehr__active=True)


def _free(row: WriteBack) -> QuerySet[WriteBack]:
    """The row, if nobody works on it and nobody has since it was read."""
    nobody = Q(held_until=None) | Q(held_until__lt=timezone.now())
    return WriteBack.objects.filter(nobody, pk=row.pk, tries=row.tries)


def _hold(free: QuerySet[WriteBack], row: WriteBack, **fields: object) -> bool:
    held = free.update(tries=F("tries") + 1, held_until=timezone.now() + HELD, failure="", **fields)
    row.refresh_from_db()
    return bool(held)


def _update(row: WriteBack, **fields: object) -> None:
    if not WriteBack.objects.filter(pk=row.pk, tries=row.tries).update(**fields):
        raise Overtaken("another try of this write-back is under way")
    row.refresh_from_db()
