"""What an EHR tells us by itself: the subscription, the events that still have to be looked at, the patients to score again."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from cds.fields import EncryptedField
from cds.models.ehr import Ehr


class Subscription(models.Model):
    """One standing request to an EHR to tell us of new results; known at our end point by the hash of its token.

    `last_event`: up to this number nothing is missing (null: no number was told yet). `told`: the highest told of.
    """

    class Style(models.TextChoices):
        SEARCH = "search", "R4: search criteria, no event numbers"
        BACKPORT = "backport", "R4 or R4B: a topic (Subscriptions Backport)"
        R5 = "r5", "R5: a topic"

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested: nothing was heard yet"
        ACTIVE = "active", "Active"
        ERROR = "error", "In error"
        OFF = "off", "Off"

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="subscriptions", verbose_name="EHR")
    style = models.CharField(max_length=10, choices=Style, default=Style.SEARCH)
    topic = models.CharField(
        max_length=500, blank=True, help_text="The topic's canonical URL; without one: the criteria."
    )
    endpoint_hash = models.CharField(max_length=64, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    remote_id = models.CharField(max_length=64, blank=True, help_text="Subscription.id at the EHR, once it is known.")
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    reason = models.CharField(max_length=200, blank=True, help_text="What is wrong, in one sentence.")
    heartbeat_seconds = models.PositiveIntegerField(null=True, blank=True, help_text="As it was asked for.")
    created_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True, help_text="When the EHR forgets it; null where we have not asked for it.")
    heard_at = models.DateTimeField(null=True, help_text="The last notification of any kind.")
    last_event = models.BigIntegerField(null=True)
    last_event_at = models.DateTimeField(null=True)
    told = models.BigIntegerField(default=0)
    gap_at = models.DateTimeField(null=True, help_text="Since when an event is missing.")
    searched_until = models.DateTimeField(default=timezone.now)
    search_due = models.BooleanField(default=False)
    due_at = models.DateTimeField(
        null=True, db_index=True, help_text="When a worker looks after it; null: nothing to do."
    )
    held_until = models.DateTimeField(null=True)

    class Meta:
        permissions = [("listen", "Can ask EHRs to tell of new results, and end that")]

    def __str__(self) -> str:
        return f"{self.get_style_display()} at {self.ehr}"


class NotifiedEvent(models.Model):
    """An event that was told of. It stays until it was followed up and every number before it has come."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="events")
    number = models.BigIntegerField(null=True)
    focus = EncryptedField(null=True, help_text="Type/id of what is new, until it was looked at.")
    followed = models.BooleanField(default=False)
    heard_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subscription", "number"], name="one_event_per_number")]

    def __str__(self) -> str:
        return f"event {self.number} of subscription {self.subscription_id}"


class Rescoring(models.Model):
    """A patient about whom something new was told, and the job ticket of asking again. One row for each patient."""

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="rescorings", verbose_name="EHR")
    patient_key = models.CharField(max_length=64)
    patient_id = EncryptedField(null=True, help_text="While it is needed.")
    told_at = models.DateTimeField(default=timezone.now, help_text="When the newest result was told of.")
    due_at = models.DateTimeField(null=True, db_index=True, help_text="Null: nothing to do.")
    held_until = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ehr", "patient_key"], name="one_rescoring_per_patient")]

    def __str__(self) -> str:
        return f"{self.patient_key[:8]} at {self.ehr}"
