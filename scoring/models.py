"""The shelf's table: every version of every model, its artefact, what is known about it and who approved it."""

from __future__ import annotations

from django.db import models


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
