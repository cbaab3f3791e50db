"""Facilities inside one EHR, where a service runs otherwise than in the rest of it."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models

from cds.facts import PLACE
from cds.models.stages import A_FRACTION, EnabledService


class AtFacility(models.Model):
    """Where one facility differs: an own threshold, or switched off there. All else is as in the whole EHR.

    A facility is known by what the record says of the encounter: Encounter.serviceProvider or Encounter.location.
    """

    here = models.ForeignKey(EnabledService, on_delete=models.CASCADE, related_name="facilities")
    name = models.CharField(max_length=100, help_text="For people.")
    reference = models.CharField(
        max_length=80,
        validators=[RegexValidator(PLACE, "Such as Organization/17 or Location/north-ward.")],
        help_text="As its encounters name it, in serviceProvider or location: Organization/17, or Location/north-ward.",
    )
    threshold = models.FloatField(
        null=True, blank=True, validators=A_FRACTION, help_text="A fraction; empty: that of the whole EHR."
    )
    off = models.BooleanField("switched off there", default=False)
    off_reason = models.CharField(max_length=200, blank=True)
    off_by = models.CharField(max_length=150, blank=True)
    off_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["here", "reference"], name="each_facility_once")]

    def __str__(self) -> str:
        return f"{self.name} ({self.reference})"

    @property
    def differs(self) -> bool:
        return self.off or self.threshold is not None
