"""What is old enough goes: audit entries in whole months after years, the facts behind assessments and who stands on a
worklist after months, rows for the statistics after years, sessions of administrators when they are over."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from cds import audit, chain
from cds.models import Assessment, AuditEntry, PopulationResult, PurgedSegment, Replayed
from scoring.models import Prediction

logger = logging.getLogger(__name__)

BATCH = 500


class Purged(NamedTuple):
    """How many went."""

    entries: int = 0
    snapshots: int = 0
    predictions: int = 0
    listed: int = 0
    sessions: int = 0


def purge() -> Purged:
    """Under a legal hold nothing goes. It leaves its own entry either way."""
    gone = Purged()
    if not settings.AUDIT_HOLD:
        gone = Purged(
            entries=purge_audit(),
            snapshots=purge_snapshots(),
            predictions=purge_predictions(),
            listed=purge_worklists(),
            sessions=purge_sessions(),
        )
    audit.record("purge", actor=audit.US, **gone._asdict(), hold=int(settings.AUDIT_HOLD))
    return gone


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
    return forget(Assessment.objects.filter(created_at__lt=_facts_kept_since()))


def purge_worklists() -> int:
    """Who stood on the worklists of old population runs; the numbers stay."""
    rows, count = PopulationResult.objects.filter(run__created_at__lt=_facts_kept_since()), 0
    while some := list(rows.exclude(patient_id=None).values_list("pk", flat=True)[:BATCH]):
        count += PopulationResult.objects.filter(pk__in=some).update(**PopulationResult.NAMELESS)
    return count


def purge_sessions() -> int:
    """Of administrators; a clinician's goes when it ends."""
    return Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]


def _facts_kept_since() -> datetime:
    return timezone.now() - timedelta(days=settings.SNAPSHOT_RETENTION_DAYS)


def purge_predictions() -> int:
    """Rows of numbers from which no model needs to learn any more."""
    before = timezone.now() - timedelta(days=settings.PREDICTION_RETENTION_DAYS)
    return Prediction.objects.filter(asked_at__lt=before).delete()[0]


def forget(assessments: QuerySet[Assessment]) -> int:
    """How many snapshots gave way to their keyed hash; what a reviewer's page repeats of them goes along."""
    old = assessments.filter(snapshot__isnull=False).order_by("pk")
    count = 0
    while batch := list(old.only("pk", "snapshot")[:BATCH]):
        with transaction.atomic():
            Replayed.objects.filter(assessment__in=batch).delete()
            for assessment in batch:
                kept = chain.fingerprint(bytes(assessment.snapshot or b""))
                Assessment.objects.filter(pk=assessment.pk).update(snapshot=None, snapshot_hmac=kept)
        count += len(batch)
    return count
