"""The chain that shows what was done to the audit trail: seal what is new, verify all of it, vouch for what was purged.

Each entry gets a gapless number and HMAC-SHA256(key, number | seal before | entry). The newest seal also goes to a file
apart, the anchor: without it, entries cut off at the end would not be missed.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection, transaction

from cds import anchor
from cds.models import AuditEntry, PurgedSegment

logger = logging.getLogger(__name__)

BATCH = 1_000  # in one transaction: on SQLite nobody else writes as long as it lasts
_SEALERS = 0x6265_6473  # one at a time: the number of PostgreSQL's advisory lock


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A link that does not hold."""

    sequence: int
    reason: str


def seal() -> int:
    """Chain what was recorded since the last seal; how many entries."""
    total = 0
    while count := _seal_batch():
        # After the commit: an anchor may lag behind the chain, but must not run ahead of it.
        anchor.append(*head())
        total += count
    if total:
        logger.info("audit trail sealed up to %d: %s", *head())
    return total


def _seal_batch() -> int:
    with transaction.atomic():
        _alone()
        sequence, before = head()
        key_id = newest_key_id()
        links = []
        for entry in AuditEntry.objects.filter(sequence=None).order_by("pk")[:BATCH]:
            sequence += 1
            before = seal_of(entry, sequence=sequence, before=before, key_id=key_id)
            links.append((sequence, before, key_id, entry.pk))
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE cds_auditentry SET sequence = %s, seal = %s, key_id = %s WHERE id = %s", links)
    return len(links)


def verify() -> Iterator[Broken]:
    """Every link that does not hold: changed, removed, swapped, inserted, cut off or re-written. Reads as it goes."""
    anchors = anchor.Anchors()  # first, so that what is sealed meanwhile is not missed in the chain
    anchored = iter(anchors)
    at = next(anchored, None)
    reached = 0
    for reached, found, problem in _links():
        if problem:
            yield Broken(sequence=reached, reason=problem)
        while at and at.sequence <= reached:
            if at.sequence == reached and not hmac.compare_digest(at.seal, found):
                yield Broken(sequence=reached, reason="its seal is not the one in the anchor file")
            at = next(anchored, None)
    if at:
        yield Broken(sequence=reached + 1, reason=f"cut off here: the anchor file knows {at.sequence} and more")
    if anchors.unreadable:
        yield Broken(sequence=reached, reason=f"the anchor file has unreadable lines: {anchors.unreadable}")
    if reached and not anchor.exists():
        yield Broken(sequence=reached, reason="there is no anchor file, so nobody can tell if it ends here")


def _links() -> Iterator[tuple[int, str, str]]:
    """Number, seal and problem ("" for none) of each stretch that was purged and of each entry."""
    sequence, before = 0, ""
    for segment in PurgedSegment.objects.order_by("first"):
        sound = segment.first == sequence + 1 and _holds(segment, _purged_content(segment, before=before))
        sequence, before = segment.last, segment.last_seal
        yield sequence, before, "" if sound else f"what vouches for {segment.first} to {segment.last} does not hold"
    for entry in AuditEntry.objects.exclude(sequence=None).order_by("sequence").iterator(chunk_size=1000):
        expected, found = sequence + 1, entry.sequence or 0
        sound = _holds(entry, _content(entry, sequence=expected, before=before, key_id=entry.key_id))
        gap = f"{expected} is missing before it" if found != expected else ""
        sequence, before = found, entry.seal
        yield found, before, gap or ("" if sound else "changed, or sealed with a key that is not in AUDIT_KEY")


def head() -> tuple[int, str]:
    """Number and seal of the newest link."""
    if last := AuditEntry.objects.exclude(sequence=None).order_by("-sequence").first():
        return last.sequence or 0, last.seal
    purged = PurgedSegment.objects.order_by("-last").first()
    return (purged.last, purged.last_seal) if purged else (0, "")


def vouch(segment: PurgedSegment) -> PurgedSegment:
    """The segment, sealed as the successor of the one before it."""
    previous = PurgedSegment.objects.order_by("-last").first()
    segment.key_id = newest_key_id()
    content = _purged_content(segment, before=previous.last_seal if previous else "")
    segment.seal = _hmac(_keys()[segment.key_id], content)
    return segment


# --- Seals -------------------------------------------------------------------------------------------------------
def seal_of(entry: AuditEntry, *, sequence: int, before: str, key_id: str) -> str:
    return _hmac(_keys()[key_id], _content(entry, sequence=sequence, before=before, key_id=key_id))


def newest_key_id() -> str:
    return next(iter(_keys()))


def fingerprint(content: bytes) -> str:
    """A keyed hash of anything, with the id of its key."""
    key_id = newest_key_id()
    return f"{key_id}:{hmac.new(_keys()[key_id], content, hashlib.sha256).hexdigest()}"


def _keys() -> dict[str, bytes]:
    """Newest first, by an id that gives nothing of the key away."""
    keys = [key.strip().encode() for key in settings.AUDIT_KEYS]
    return {hashlib.sha256(b"bedside audit key id|" + key).hexdigest()[:8]: key for key in keys}


def _holds(row: AuditEntry | PurgedSegment, content: list[Any]) -> bool:
    key = _keys().get(row.key_id)
    return key is not None and hmac.compare_digest(row.seal, _hmac(key, content))


def _hmac(key: bytes, content: list[Any]) -> str:
    return hmac.new(key, msgspec.json.encode(content, order="deterministic"), hashlib.sha256).hexdigest()


def _content(entry: AuditEntry, *, sequence: int, before: str, key_id: str) -> list[Any]:
    who = [entry.ehr_id, entry.actor, entry.address, entry.patient_key]
    return ["entry", sequence, before, key_id, _utc(entry.recorded_at), entry.action, *who, entry.subject, entry.detail]


def _purged_content(segment: PurgedSegment, *, before: str) -> list[Any]:
    times = [_utc(segment.began_at), _utc(segment.ended_at), _utc(segment.purged_at)]
    return ["purged", segment.first, segment.last, before, segment.last_seal, segment.key_id, *times]


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _alone() -> None:
    """No other sealer until the end of the transaction; SQLite's transactions (IMMEDIATE) are alone anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SEALERS])
