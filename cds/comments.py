"""Search what clinicians wrote. Comments are encrypted, so they are read one after the other, the newest first, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from cds import audit
from cds.feedback import with_answers
from cds.models import Ehr, Feedback

BATCH = 500
MOST_READ, MOST_FOUND = 5_000, 100


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """All of the words of `text`, in any order and case; "" wants every comment."""

    text: str = ""
    since: datetime | None = None
    ehr: Ehr | None = None
    service_id: str = ""
    hints: str = ""  # one group, or "any"

    def narrowed(self) -> QuerySet[Feedback]:
        """What the database can tell without reading a comment."""
        rows = with_answers().filter(comment__isnull=False)
        if self.since:
            rows = rows.filter(received_at__gte=self.since)
        if self.ehr:
            rows = rows.filter(ehr=self.ehr)
        if self.service_id:
            rows = rows.filter(service_id=self.service_id)
        if self.hints == "any":
            return rows.exclude(hints="")
        return rows.filter(hints__contains=self.hints) if self.hints else rows

    def matches(self, row: Feedback) -> bool:
        said = row.said.casefold()
        return all(word in said for word in self.text.casefold().split())


@dataclass(frozen=True, kw_only=True)
class Found:
    """`whole`: were all comments read that might match?"""

    rows: list[Feedback]
    read: int
    whole: bool


def search(wanted: Wanted, *, actor: str) -> Found:
    """At most MOST_FOUND, out of the newest MOST_READ. That somebody searched is on record, but not for which words: they
    may be a patient's name."""
    rows: list[Feedback] = []
    count = 0
    for row in _newest(wanted.narrowed()):
        if count == MOST_READ or len(rows) == MOST_FOUND:
            break
        count += 1
        if wanted.matches(row):
            rows.append(row)
    else:
        return _recorded(Found(rows=rows, read=count, whole=True), actor=actor)
    return _recorded(Found(rows=rows, read=count, whole=False), actor=actor)


def _newest(rows: QuerySet[Feedback]) -> Iterator[Feedback]:
    last: int | None = None
    while batch := list((rows.filter(pk__lt=last) if last else rows).order_by("-pk")[:BATCH]):
        yield from batch
        last = batch[-1].pk


def _recorded(found: Found, *, actor: str) -> Found:
    audit.record("search-comments", actor=actor, read=found.read, found=len(found.rows))
    return found
