"""A subscription that should have been heard of and was not: somebody should look, and nothing must be missed meanwhile."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from cds.models import Subscription

PERIODS = 2.5  # of the heartbeat: one may be late
DAILY = timedelta(days=1)  # what has no heartbeat is reconciled once a day (R4 promises no delivery)


def silent(row: Subscription) -> bool:
    """Nothing was heard for longer than its heartbeat allows."""
    if not row.heartbeat_seconds or row.state == Subscription.State.OFF:
        return False
    return timezone.now() - (row.heard_at or row.created_at) > timedelta(seconds=row.heartbeat_seconds * PERIODS)


def recover() -> None:
    """Search where nothing is heard, as often as a heartbeat should come; elsewhere once a day."""
    now = timezone.now()
    for row in Subscription.objects.filter(ehr__active=True).exclude(state=Subscription.State.OFF):
        every = timedelta(seconds=row.heartbeat_seconds or 0) if silent(row) else DAILY
        if row.searched_until < now - every:
            Subscription.objects.filter(pk=row.pk).update(search_due=True, due_at=now)
