"""The shelf's table: every version of every model, its artefact, what is known about it and who approved it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class ModelVersion(models.Model):
    """One trained model. Once on the shelf only its status changes."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        APPROVED = "approved"
        RETIRED = "retired"

    name = models.CharField(max_length=80)
    version = models.CharField(max_length=40)
    sha256 = models.CharField(max_length=64)
    artefact = models.BinaryField(help_text="XGBoost's own UBJ format; never a pickle, which could run code")
    facts = models.JSONField(help_text="what training measured: data, parameters, performance, limits")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    approved_by = models.CharField(max_length=150, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    replaces = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, help_text="In use before; where a rollback leads."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name", "-created_at")
        constraints = (
            models.UniqueConstraint(fields=("name", "version"), name="one_artefact_per_version"),
            models.UniqueConstraint(
                fields=("name",), condition=models.Q(status="approved"), name="one_approved_version_per_model"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.status})"


class Prediction(models.Model):
    """What a model was asked at the bedside and, later, what was true. Numbers only: whom it was about is not here.

    `case` and `site` mean nothing in this layer; whoever made the row knows what they stand for.
    """

    class KnownBy(models.TextChoices):
        RESULT = "result", "A later measurement"
        DIAGNOSIS = "diagnosis", "A later diagnosis"
        REVIEW = "review", "A clinician's verdict"

    case = models.UUIDField(unique=True)
    site = models.CharField(max_length=40)
    service_id = models.CharField(max_length=100, verbose_name="service")
    model_name = models.CharField(max_length=80)
    model_version = models.CharField(max_length=40)
    row = models.JSONField(help_text="feature -> number; null is a missing value")
    probability = models.FloatField(null=True, help_text="A fraction; empty: the model abstained.")
    threshold = models.FloatField()
    asked_at = models.DateTimeField()
    label = models.BooleanField(null=True, help_text="What was true; empty: not known, perhaps never.")
    labelled_at = models.DateTimeField(null=True, help_text="The moment that the truth is of.")
    known_by = models.CharField(max_length=10, choices=KnownBy, blank=True)

    class Meta:
        indexes = (
            models.Index(fields=("model_name", "site", "-asked_at"), name="newest_predictions"),
            models.Index(fields=("site", "asked_at"), name="open_predictions", condition=models.Q(label=None)),
        )

    def __str__(self) -> str:
        return f"{self.model_name} {self.model_version} on {self.asked_at:%Y-%m-%d}"


class DriftReport(models.Model):
    """One look at a model version where it is used: what it is asked about, what it answers, and how well."""

    site = models.CharField(max_length=40)
    service_id = models.CharField(max_length=100, verbose_name="service")
    model_name = models.CharField(max_length=80)
    model_version = models.CharField(max_length=40)
    since = models.DateTimeField()
    made_at = models.DateTimeField(default=timezone.now)
    people = models.PositiveIntegerField(help_text="Of whom the model was asked in that time.")
    findings = models.JSONField(help_text="scoring.watch")
    alarms = models.JSONField(help_text="scoring.watch.Alarm")
    waiting = models.BooleanField(default=False, help_text="It holds alarms that nobody has seen.")
    seen_by = models.CharField(max_length=150, blank=True)
    seen_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, blank=True, help_text="What was found behind the alarms.")

    class Meta:
        indexes = (models.Index(fields=("site", "service_id", "-made_at"), name="newest_drift_reports"),)
        permissions = (("acknowledge_drift", "Can put the alarms of a drift report aside"),)

    def __str__(self) -> str:
        return f"{self.model_name} {self.model_version} on {self.made_at:%Y-%m-%d}"


class TrainingRun(models.Model):
    """One attempt to renew a model with the cases of the hospitals; at best it leaves a draft, which people judge."""

    class Status(models.TextChoices):
        CANDIDATE = "candidate", "A candidate waits for approval"
        NO_BETTER = "no-better", "Nothing was better than the model in use"
        TOO_FEW = "too-few", "Too few outcomes are known"
        UNAVAILABLE = "unavailable", "The packages for training are not installed"

    model_name = models.CharField(max_length=80)
    live_version = models.CharField(max_length=40)
    status = models.CharField(max_length=12, choices=Status)
    candidate = models.ForeignKey(ModelVersion, on_delete=models.SET_NULL, null=True, related_name="runs")
    report = models.JSONField(default=dict, help_text="scoring.renewal")
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-made_at",)

    def __str__(self) -> str:
        return f"{self.model_name}: {self.status}"
