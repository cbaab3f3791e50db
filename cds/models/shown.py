"""What became of a card: shown, held back, answered, doubted, reviewed."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from cds.fields import EncryptedField
from cds.models.assessment import Assessment
from cds.models.ehr import Ehr


class IssuedCard(models.Model):
    """A card that left the house, so that feedback finds its assessment."""

    uuid = models.UUIDField(primary_key=True)
    assessment = models.ForeignKey(Assessment, on_delete=models.CASCADE, related_name="cards")
    summary_kind = models.CharField(max_length=50, help_text="Which rule, or pending, or failed.")
    user_key = models.CharField(max_length=64, blank=True, help_text="A keyed hash of who was shown it.")
    words_key = models.CharField(max_length=64, blank=True, help_text="A keyed hash of what it said.")
    hook_instance = models.CharField(max_length=64, blank=True)
    issued_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["user_key", "-issued_at"], name="latest_cards_of_a_user"),
            models.Index(fields=["words_key", "user_key", "-issued_at"], name="latest_cards_of_these_words"),
            models.Index(fields=["hook_instance"], name="cards_of_a_call"),
        ]

    def __str__(self) -> str:
        return str(self.uuid)


class Feedback(models.Model):
    """What a clinician did with a card (CDS Hooks 2.0.1, "Feedback"), or that an answer on the page looked wrong."""

    class Outcome(models.TextChoices):
        ACCEPTED = "accepted"
        OVERRIDDEN = "overridden"
        WRONG = "wrong"

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, verbose_name="EHR")
    service_id = models.CharField(max_length=100, verbose_name="service")
    card_uuid = models.CharField(max_length=64, help_text="As sent; it may be a card that we do not know.")
    card = models.ForeignKey(IssuedCard, on_delete=models.SET_NULL, null=True, related_name="feedback")
    assessment = models.ForeignKey(Assessment, on_delete=models.CASCADE, null=True, related_name="feedback")
    actor = models.CharField(max_length=64, blank=True, help_text="A keyed hash of who said it on the page.")
    outcome = models.CharField(max_length=10, choices=Outcome)
    suggestion = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=100, blank=True)
    comment = EncryptedField(null=True)
    hints = models.CharField(max_length=60, blank=True, help_text="Groups of telling words in the comment (cds.hints).")
    outcome_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    reviewed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "feedback"
        permissions = [("review_feedback", "Can mark feedback as reviewed")]
        constraints = [
            models.UniqueConstraint(
                fields=["ehr", "card_uuid", "outcome", "outcome_at", "suggestion"], name="feedback_counts_once"
            ),
            models.UniqueConstraint(
                fields=["assessment", "actor"], name="one_report_each", condition=models.Q(outcome="wrong")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.card_uuid} {self.outcome}"

    @property
    def about(self) -> Assessment | None:
        """The answer that it is about, said on the page or of a card."""
        return self.assessment or (self.card.assessment if self.card else None)

    @property
    def said(self) -> str:
        """The comment in clear: whoever reads it is audited."""
        return bytes(self.comment).decode(errors="replace") if self.comment is not None else ""


class Replayed(models.Model):
    """What came of replaying an answer in a worker, with the cases most like it: for the reviewer's page."""

    assessment = models.ForeignKey(Assessment, on_delete=models.CASCADE, related_name="replays")
    verdict = models.CharField(max_length=12)
    report = EncryptedField(help_text="cds.review.Prepared")
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        get_latest_by = "made_at"

    def __str__(self) -> str:
        return f"{self.assessment_id} {self.verdict}"


class Review(models.Model):
    """What a reviewer found about an answer that somebody doubted; the label joins the rows that a model learns from."""

    class Verdict(models.TextChoices):
        RIGHT = "right", "The answer was right"
        WRONG = "wrong", "The answer was wrong"
        UNCLEAR = "unclear", "Cannot say"

    feedback = models.OneToOneField(Feedback, on_delete=models.CASCADE, related_name="review")
    verdict = models.CharField(max_length=10, choices=Verdict)
    label = models.BooleanField(null=True, help_text="What was true of the patient; empty: not known.")
    note = EncryptedField(null=True)
    by = models.CharField(max_length=150)
    reviewed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.feedback_id}: {self.verdict}"


class Suppression(models.Model):
    """A card that was not shown, and why; the page shows its answer all the same."""

    class Reason(models.TextChoices):
        DUPLICATE = "duplicate", "Twice in one answer"
        COOL_DOWN = "cool-down", "Shown to this user a short while ago"
        SNOOZE = "snooze", "Snoozed when a card was overridden"
        BUDGET = "budget", "The user's budget of the day was used up"
        RETRACTED = "retracted", "The answer was retracted"

    assessment = models.ForeignKey(Assessment, on_delete=models.CASCADE, related_name="suppressions")
    reason = models.CharField(max_length=10, choices=Reason)
    rule = models.CharField(max_length=50)
    user_key = models.CharField(max_length=64, blank=True, help_text="A keyed hash of who was not shown it.")
    suppressed_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.rule}: {self.reason}"


class Snooze(models.Model):
    """Until when a rule is silent about a patient, because a clinician overrode its card with a reason."""

    feedback = models.OneToOneField(Feedback, on_delete=models.CASCADE)
    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, verbose_name="EHR")
    service_id = models.CharField(max_length=100, verbose_name="service")
    patient_key = models.CharField(max_length=64)
    rule = models.CharField(max_length=50)
    user_key = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=100)
    until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["patient_key", "service_id", "rule"], name="snoozes_of_a_patient")]

    def __str__(self) -> str:
        return f"{self.service_id} {self.rule}: {self.reason} until {self.until:%Y-%m-%d}"
