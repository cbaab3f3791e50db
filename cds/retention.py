"""What is old enough goes: audit entries in whole months after years, the facts behind assessments after months."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from cds import audit, chain
from cds.models import Assessment, AuditEntry, PurgedSegment

logger = logging.getLogger(__name__)

BATCH = 500


def purge() -> tuple[int, int]:
    """How many audit entries and snapshots went; under a legal hold none. It leaves its own entry either way."""
    entries = 0 if settings.AUDIT_HOLD else purge_audit()
    snapshots = 0 if settings.AUDIT_HOLD else purge_snapshots()
    audit.record("purge", actor=audit.US, entries=entries, snapshots=snapshots, hold=int(settings.AUDIT_HOLD))
    return entries, snapshots


def purge_audit() -> int:
    """Every entry older than AUDIT_RETENTION_YEARS up to the last whole month; a sealed row vouches for them."""
    until = beginning_of_kept(timezone.now())
    with transaction.atomic():
        segment = _segment(until)
        if segment is None:
            return 0
        chain.vouch(segment).save()
        # A query's delete, since a row's own is forbidden; the database allows it for what a segment stands for.
        deleted, _ = AuditEntry.objects.filter(sequence__range=(segment.first, segment.last)).delete()
    return deleted


def beginning_of_kept(now: datetime) -> datetime:
    """The first of the month that lies AUDIT_RETENTION_YEARS back."""
    now = now.astimezone(UTC)
    return datetime(now.year - settings.AUDIT_RETENTION_YEARS, now.month, 1, tzinfo=UTC)


def _segment(until: datetime) -> PurgedSegment | None:
    """The unbroken stretch of old, sealed entries at the chain's beginning: nothing is taken out of its middle."""
    sealed = AuditEntry.objects.exclude(sequence=None)
    kept = sealed.filter(recorded_at__gte=until).order_by("sequence").first()
    old = sealed.filter(sequence__lt=kept.sequence) if kept else sealed
    first, last = old.order_by("sequence").first(), old.order_by("-sequence").first()
    if first is None or last is None:
        return None
    begins, ends = first.sequence or 0, last.sequence or 0
    if old.count() != ends - begins + 1:
        logger.error("audit entries are missing between %d and %d: nothing is purged", begins, ends)
        return None
    return PurgedSegment(
        first=begins,
        last=ends,
        began_at=first.recorded_at,
        ended_at=last.recorded_at,
        last_seal=last.seal,
        purged_at=timezone.now(),
    )


def purge_snapshots() -> int:
    """The facts of old assessments give way to a keyed hash: enough to prove later what they were, not to read them."""
    before = timezone.now() - timedelta(days=settings.SNAPSHOT_RETENTION_DAYS)
    return forget(Assessment.objects.filter(created_at__lt=before))


def forget(assessments: QuerySet[Assessment]) -> int:
    """How many snapshots gave way to their keyed hash."""
    old = assessments.filter(snapshot__isnull=False).order_by("pk")
    count = 0
    while batch := list(old.only("pk", "snapshot")[:BATCH]):
        with transaction.atomic():
            for assessment in batch:
                kept = chain.fingerprint(bytes(assessment.snapshot or b""))
                Assessment.objects.filter(pk=assessment.pk).update(snapshot=None, snapshot_hmac=kept)
        count += len(batch)
    return count
