"""Who leaves what a population run lists and gives out: who opted out since, and whose record is there no more."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from django.conf import settings

from cds.models import Ehr, PopulationResult

_AT_ONCE = 500


def leave(ehr: Ehr, keys: Iterable[str], why: PopulationResult.Left) -> int:
    """How many answers, of every run at this EHR, are listed no more. `keys`: pseudonyms.

    Numbers stay as they were counted; who it was goes, unless a legal hold keeps it.
    """
    said: dict[str, object] = {"left": why}
    if not settings.AUDIT_HOLD:
        said |= PopulationResult.NAMELESS
    rows, waiting, count = PopulationResult.objects.filter(run__ehr=ehr, left=""), iter(keys), 0
    while some := list(islice(waiting, _AT_ONCE)):
        count += rows.filter(pseudonym__in=some).update(**said)
    return count
