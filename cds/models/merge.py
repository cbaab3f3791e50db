"""Two records of one person, made one by the EHR."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone

from cds.models.ehr import Ehr


class Merge(models.Model):
    """One record was merged into another one, as `Patient.link` told; both known by keyed hashes only.

    Whoever told it takes it back: what the old record says (`replaced-by`) comes before what the other one says of it.
    """

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="merges", verbose_name="EHR")
    from_key = models.CharField(max_length=64)
    into_key = models.CharField(max_length=64)
    by_survivor = models.BooleanField(default=False, help_text="Only the record that goes on tells it (`replaces`).")
    noticed_at = models.DateTimeField(default=timezone.now)
    followed_at = models.DateTimeField(null=True, help_text="When what was saved, as things are now, was seen to.")
    undone_at = models.DateTimeField(null=True, help_text="When the records were found apart again.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ehr", "from_key"], condition=Q(undone_at=None), name="merged_once_at_a_time"
            )
        ]
        indexes = [models.Index(fields=["ehr", "into_key"], condition=Q(undone_at=None), name="merged_into")]

    def __str__(self) -> str:
        return f"{self.from_key[:8]} into {self.into_key[:8]} at {self.ehr}"

    @classmethod
    def told_by(cls, ehr: Any, key: Any) -> QuerySet[Merge]:
        """Those that stand, and that this record itself tells: when it is read again, it may tell that they are over."""
        told = Q(from_key=key, by_survivor=False) | Q(into_key=key, by_survivor=True)
        return cls.objects.filter(told, ehr=ehr, undone_at=None)

    @classmethod
    def into(cls, ehr_id: int, patient_key: str) -> list[str]:
        """The keys of the records that were merged into this one, by way of others, too."""
        found: list[str] = []
        last: Iterable[str] = [patient_key]
        while last:
            rows = cls.objects.filter(ehr=ehr_id, into_key__in=last, undone_at=None)
            last = list(rows.exclude(from_key__in=[patient_key, *found]).values_list("from_key", flat=True))
            found += last
        return found

    @classmethod
    def keys(cls, ehr_id: int) -> frozenset[str]:
        """Of all records that are merged now, or that others were merged into."""
        rows = cls.objects.filter(ehr=ehr_id, undone_at=None).values_list("from_key", "into_key")
        return frozenset(key for pair in rows for key in pair)

    @classmethod
    def survivors(cls, ehr_id: int) -> dict[str, str]:
        """The key of each record that was merged, and of the one that goes on for it in the end."""
        into = dict(cls.objects.filter(ehr=ehr_id, undone_at=None).values_list("from_key", "into_key"))
        return {key: _end(key, into) for key in into}


def _end(key: str, into: dict[str, str]) -> str:
    """Records that name each other in a circle end where it closes."""
    seen = {key}
    while (after := into.get(key)) is not None and after not in seen:
        seen.add(after)
        key = after
    return key
