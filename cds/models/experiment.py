"""An experiment on a service at an EHR: its protocol, who agreed to it, and who was in which arm."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import cached_property

import msgspec
from django.db import models
from django.utils import timezone

from cds.models.assessment import Assessment
from cds.models.ehr import Ehr
from cds.models.stages import Change
from cds.protocol import Protocol


def _salt() -> str:
    return secrets.token_hex(16)


class Experiment(Change):
    """Asked for by one person and approved by another one, which freezes it; then started and stopped, each once."""

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="experiments", verbose_name="EHR")
    service_id = models.CharField(max_length=100, verbose_name="service")
    written = models.JSONField(help_text="cds.protocol.Protocol")
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of the protocol as it was approved.")
    salt = models.CharField(max_length=32, default=_salt, editable=False, help_text="So that no two draw alike.")
    started_at = models.DateTimeField(null=True)
    started_by = models.CharField(max_length=150, blank=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=150, blank=True)
    end_reason = models.CharField(max_length=500, blank=True)
    early = models.BooleanField(default=False, help_text="It ended before its protocol says.")
    peeks = models.JSONField(
        default=list, help_text="Looks that the protocol does not plan: cds.experiments.looks.Peek"
    )

    class Meta(Change.Meta):
        constraints = [
            *Change.Meta.constraints,
            models.UniqueConstraint(
                fields=["ehr", "service_id"],
                condition=models.Q(ended_at=None, started_at__isnull=False),
                name="one_experiment_runs",
            ),
            models.CheckConstraint(
                name="only_what_was_approved_runs",
                condition=models.Q(started_at=None) | (models.Q(verdict="made") & ~models.Q(sha256="")),
            ),
        ]
        permissions = [
            ("ask_experiment", "Can ask for an experiment, start it and stop it"),
            ("approve_experiment", "Can decide on an experiment that somebody else asked for"),
        ]

    def __str__(self) -> str:
        return f"Experiment {self.pk} on {self.service_id} at {self.ehr}: {self.state}"

    @cached_property
    def protocol(self) -> Protocol:
        return msgspec.convert(self.written, type=Protocol)

    @property
    def state(self) -> str:
        if self.ended_at:
            return "ended early" if self.early else "ended"
        if self.started_at:
            return "running"
        return {self.Verdict.MADE: "approved, not started"}.get(self.Verdict(self.verdict), self.verdict)

    @property
    def running(self) -> bool:
        return self.started_at is not None and self.ended_at is None

    @property
    def unchanged(self) -> bool:
        """Is the protocol still what was approved?"""
        return self.protocol.sha256 == self.sha256

    def arm_of(self, unit_key: str) -> str:
        """Drawn by a keyed hash: the same in every process, at every time. "" for a unit that nobody can name."""
        if not unit_key:
            return Enrolment.Arm.NONE
        if self.protocol.by_place:
            other = unit_key in self._lots[: self.protocol.places_drawn]
        else:
            other = int.from_bytes(self._hash(unit_key)) % 100 < self.protocol.share
        return Enrolment.Arm.OTHER if other else Enrolment.Arm.STANDING

    def key_of(self, place: str) -> str:
        """The unit that a department is; "" if it takes no part."""
        return self._hash(place).hex() if place in (self.protocol.places or ()) else ""

    @cached_property
    def _lots(self) -> list[str]:
        """The departments in a random order: of a handful, each by itself, all might be drawn for one way."""
        return sorted(self.key_of(place) for place in self.protocol.places or ())

    def _hash(self, unit: str) -> bytes:
        return hmac.digest(self.salt.encode(), unit.encode(), hashlib.sha256)


class Enrolment(models.Model):
    """That a patient was asked about while an experiment ran, in which arm, and with which answer."""

    class Arm(models.TextChoices):
        STANDING = "standing", "The way in force"
        OTHER = "other", "The other way"
        NONE = "", "Not assigned: shown the way in force"

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="enrolments")
    arm = models.CharField(max_length=10, choices=Arm, blank=True)
    unit_key = models.CharField(max_length=64, blank=True, help_text="A keyed hash of what was drawn.")
    patient_key = models.CharField(max_length=64)
    assessment = models.ForeignKey(Assessment, on_delete=models.CASCADE, related_name="enrolments")
    twin = models.OneToOneField(
        Assessment, on_delete=models.CASCADE, null=True, related_name="shadow_of", help_text="In the other way, unseen."
    )
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["experiment", "patient_key", "at"], name="patients_of_an_experiment")]

    def __str__(self) -> str:
        return f"{self.experiment_id}: {self.arm or 'not assigned'}"
