"""What EHRs prefetch: of each key how often it came, came empty, in pages or unusable, or did not come at all."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from cds.models import Ehr
from hooks.models import HookCall

WEEK = timedelta(days=7)
LATEST_CALLS = 5_000  # enough to see a habit by, and read at once
STATES = ("hit", "null", "paged", "invalid", "miss")


@dataclass(frozen=True, kw_only=True)
class Key:
    """One prefetch key of one service at one EHR: how many calls ended in each of STATES."""

    ehr: str
    service_id: str
    key: str
    counts: tuple[int, ...]

    @property
    def advice(self) -> str:
        """What to ask the EHR's people for; "" where all is well."""
        hit, null, paged, invalid, miss = self.counts
        if miss and not (hit or null or paged or invalid):
            return "never sent: each call fetches it, which costs time"
        if invalid > hit + null:
            return "mostly an error or another patient's: look at the query that the EHR makes of the template"
        if paged > hit + null:
            return "mostly cut into pages: ask whether the EHR can raise its page size"
        return ""


def prefetched() -> list[Key]:
    """Of the latest calls of this week about people; at a test EHR, where all are invented, of every call."""
    found: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    calls = HookCall.objects.filter(received_at__gt=timezone.now() - WEEK).exclude(prefetch={})
    people = calls.exclude(test=True, ehr__environment=Ehr.Environment.PRODUCTION).order_by("-received_at")
    rows = people.values_list("ehr__name", "service_id", "prefetch")[:LATEST_CALLS]
    for ehr, service_id, states in rows:
        for key, state in states.items():
            found[ehr, service_id, key][state] += 1
    return [
        Key(ehr=ehr, service_id=service_id, key=key, counts=tuple(counted[state] for state in STATES))
        for (ehr, service_id, key), counted in sorted(found.items())
    ]
