"""The case file and the job ticket of one decision."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from cds.context import PatientContext
from cds.errors import Gone
from cds.fields import EncryptedField
from cds.finding import Outcome, from_json
from cds.models.ehr import Ehr


class Assessment(models.Model):
    """The case file and the job ticket: what was asked, from which facts, by which versions, with which answer."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        DONE = "done"
        FAILED = "failed"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ehr = models.ForeignKey(Ehr, on_delete=models.PROTECT, verbose_name="EHR")
    service_id = models.CharField(max_length=100, verbose_name="service")
    service_version = models.CharField(max_length=20)
    model_version = models.CharField(max_length=50, blank=True)
    threshold = models.FloatField()
    fingerprint = models.CharField(max_length=64)
    patient_key = models.CharField(max_length=64, db_index=True)
    snapshot = EncryptedField(null=True, help_text="The facts; deleted after SNAPSHOT_RETENTION_DAYS.")
    snapshot_hmac = models.CharField(max_length=80, blank=True, help_text="What is left of the facts then.")
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    result = EncryptedField(null=True)
    failure = models.CharField(max_length=200, blank=True, help_text="The error's class; its message is in the log.")
    test = models.BooleanField(default=False, help_text="Of an invented patient: out of statistics.")
    created_at = models.DateTimeField(default=timezone.now)
    queued_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    collected_at = models.DateTimeField(null=True, help_text="Since when the statistics know it (cds.outcomes).")
    handed_over_at = models.DateTimeField(null=True, help_text="When an EHR was told to file it, by a hook's answer.")
    retracted_at = models.DateTimeField(null=True, help_text="Since when it counts no more.")
    retraction = models.CharField(max_length=200, blank=True, help_text="Why, in words for whoever reads the chart.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ehr", "service_id", "fingerprint"], name="one_assessment_per_fingerprint")
        ]
        indexes = [
            models.Index(
                fields=["queued_at"],
                name="unfinished_assessments",
                condition=models.Q(status="queued"),
            ),
            models.Index(
                fields=["finished_at"],
                name="uncollected_assessments",
                condition=models.Q(status="done", collected_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service_id} {self.id}: {self.status}"

    @property
    def settled(self) -> bool:
        return self.status == self.Status.DONE

    @property
    def context(self) -> PatientContext:
        if self.snapshot is None:
            raise Gone("the facts behind this assessment were deleted after their retention time")
        return PatientContext.from_json(self.snapshot)

    @property
    def outcome(self) -> Outcome | None:
        return from_json(self.result) if self.result else None
