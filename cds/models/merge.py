"""Two records of one person, made one by the EHR."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from cds.models.ehr import Ehr


class Merge(models.Model):
    """One record was merged into another one, as `Patient.link` told; both known by keyed hashes only."""

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="merges")
    from_key = models.CharField(max_length=64)
    into_key = models.CharField(max_length=64)
    noticed_at = models.DateTimeField(default=timezone.now)
    followed_at = models.DateTimeField(null=True, help_text="When what was saved at the old record was seen to.")
    undone_at = models.DateTimeField(null=True, help_text="When the records were found apart again.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ehr", "from_key"], condition=Q(undone_at=None), name="merged_once_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.from_key[:8]} into {self.into_key[:8]} at {self.ehr}"

    @classmethod
    def into(cls, ehr_id: int, patient_key: str) -> list[str]:
        """The keys of the records that were merged into this one."""
        found = cls.objects.filter(ehr=ehr_id, into_key=patient_key, undone_at=None)
        return list(found.values_list("from_key", flat=True))
