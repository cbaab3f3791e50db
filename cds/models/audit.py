"""Who saw or sent what of whom."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone

from cds.models.ehr import Ehr

SIGN_IN, EMERGENCY_SIGN_IN = SIGN_INS = ("sign-in", "emergency-sign-in")  # of administrators


class AuditEntry(models.Model):
    """Who saw or sent what. Append-only, in the database too; sealed into a hash chain by `cds.chain.seal`."""

    ehr = models.ForeignKey(Ehr, on_delete=models.PROTECT, null=True, verbose_name="EHR")
    recorded_at = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=40)
    actor = models.CharField(max_length=64, help_text="A keyed hash of the user, or the name of a system.")
    address = models.CharField(max_length=45, blank=True, help_text="Where the request came from; empty: our own work.")
    patient_key = models.CharField(max_length=64, blank=True, db_index=True)
    subject = models.CharField(max_length=100, blank=True, help_text="What it was about: an assessment, a card.")
    detail = models.JSONField(default=dict)
    sequence = models.BigIntegerField(null=True, unique=True)
    key_id = models.CharField(max_length=8, blank=True, help_text="Which of AUDIT_KEY sealed it.")
    seal = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [  # from where administrators sign in (config.tries)
            models.Index(fields=["address"], name="cds_audit_sign_ins", condition=models.Q(action__in=SIGN_INS)),
        ]

    def __str__(self) -> str:
        return f"{self.recorded_at:%Y-%m-%d %H:%M:%S} {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """An entry is never changed."""
        if self.pk:
            raise PermissionError("audit entries are append-only")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise PermissionError("audit entries are append-only")


class PurgedSegment(models.Model):
    """What is left of audit entries that were purged after their retention: enough for the chain to go on from."""

    first = models.BigIntegerField(unique=True)
    last = models.BigIntegerField(unique=True)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    last_seal = models.CharField(max_length=64)
    purged_at = models.DateTimeField(default=timezone.now)
    key_id = models.CharField(max_length=8)
    seal = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"audit entries {self.first} to {self.last}, purged"
