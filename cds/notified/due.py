"""What is due is handed out a few at a time: a thousand notifications at once do not fall on the EHR at once.

A row that is handed out is held. Whoever was killed over it gives it back by letting the time run out.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from cds.models import Ehr, Rescoring, Subscription

HELD = timedelta(minutes=5)  # longer than all pages of a search, or all reads for one patient, may take
AT_ONCE = 10  # patients of one EHR each time that beat asks, which is every ten seconds
KEPT = timedelta(hours=1)  # longer than the pause between two askings


def due_subscriptions() -> list[int]:
    """Those whose notifications are to be followed up, each handed out once."""
    free = Subscription.objects.filter(_free(timezone.now()), ehr__active=True).exclude(state=Subscription.State.OFF)
    return [pk for pk in free.values_list("pk", flat=True) if take(pk)]


def take(pk: int) -> bool:
    now = timezone.now()
    return bool(Subscription.objects.filter(_free(now), pk=pk).update(held_until=now + HELD))


def due_rescorings() -> list[int]:
    """Who is to be asked about again now, the longest owed first, each handed out once."""
    now = timezone.now()
    Rescoring.objects.filter(due_at=None, failure="", done_at__lt=now - KEPT).delete()
    free = Rescoring.objects.filter(_free(now), ehr__active=True)
    found: list[int] = []
    for ehr in Ehr.objects.filter(pk__in=free.values("ehr")):
        ids = list(free.filter(ehr=ehr).order_by("due_at").values_list("pk", flat=True)[:AT_ONCE])
        found += [pk for pk in ids if free.filter(pk=pk).update(held_until=now + HELD)]
    return found


def _free(now: datetime) -> Q:
    return Q(due_at__lte=now) & (Q(held_until=None) | Q(held_until__lt=now))
