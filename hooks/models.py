"""What we keep of each CDS Hooks request: metadata and timings; no body, no token."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from cds.models import Ehr


class UsedToken(models.Model):
    """A token that was used while the cache was down (hooks.memory)."""

    token = models.CharField(max_length=128, primary_key=True)
    until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"used token, until {self.until:%Y-%m-%d %H:%M:%S}"


class HookCall(models.Model):
    """One request and how it was answered."""

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, verbose_name="EHR")
    service_id = models.CharField(max_length=100, verbose_name="service")
    hook = models.CharField(max_length=50, blank=True)
    hook_instance = models.CharField(max_length=64, blank=True)
    status = models.PositiveSmallIntegerField(help_text="The HTTP status of our answer.")
    answer = models.CharField(max_length=20, blank=True, help_text="The assessment's status when we answered.")
    cards = models.PositiveSmallIntegerField(default=0)
    suppressed = models.PositiveSmallIntegerField(default=0, help_text="Cards that were not shown, to spare the user.")
    milliseconds = models.FloatField()
    prefetched = models.PositiveSmallIntegerField(default=0, help_text="Keys that came with the request.")
    prefetch = models.JSONField(default=dict, help_text="What became of each key: hit, null, paged, invalid or miss.")
    test = models.BooleanField(default=False, help_text="About an invented patient: out of statistics.")
    received_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.service_id} {self.status} in {self.milliseconds:.0f} ms"
