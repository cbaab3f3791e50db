"""One answer's way into the chart or the archive, and what an EHR did not take."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from cds.fields import EncryptedField
from cds.models.assessment import Assessment
from cds.models.ehr import Ehr

DELETED = "deleted"  # in `steps`, in place of a version


class WriteBack(models.Model):
    """What should become of one answer at one place (`aim`), and how far that has come (`status`).

    Each aim is a row of its own, so that what was written, and what became of it later, both stay to be seen.

    Who works on it holds it until `held_until`; `tries` counts and numbers the holders, so that one who was taken for
    dead changes nothing any more.
    """

    class Aim(models.TextChoices):
        WRITE = "write", "Write it"
        SUPERSEDE = "supersede", "Mark it as superseded by a later result"
        RETRACT = "retract", "Mark it as entered in error"
        CONFIRM = "confirm", "Mark it as confirmed by a clinician"
        UNDO = "undo", "Take back what was half written"

    class Target(models.TextChoices):
        CHART = "chart", "FHIR, into the chart"
        ARCHIVE = "archive", "DICOM SR, into the archive"

    class Status(models.TextChoices):
        QUEUED = "queued", "Waiting: Bedside sends it by itself"
        WAITING = "waiting", "Waiting for a clinician to press again"
        SENT = "sent", "Done"
        DECLINED = "declined", "Not written: not taken there, or not allowed here"
        FAILED = "failed", "Failed: waits for an administrator"

    class Form(models.TextChoices):
        """The resource type that holds the answer, fullest first."""

        RISK_ASSESSMENT = "RiskAssessment", "risk assessment"
        OBSERVATION = "Observation", "observation"
        DOCUMENT = "DocumentReference", "document"
        REPORT = "DiagnosticReport", "diagnostic report"

    assessment = models.ForeignKey(Assessment, on_delete=models.CASCADE, related_name="write_backs")
    target = models.CharField(max_length=10, choices=Target)
    aim = models.CharField(max_length=10, choices=Aim, default=Aim.WRITE)
    successor = models.ForeignKey(
        Assessment,
        on_delete=models.SET_NULL,
        null=True,
        related_name="supersedes",
        help_text="The later answer by which it is superseded; none: that one was retracted, and this one counts again.",
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    tries = models.PositiveIntegerField(default=0)
    delays = models.PositiveSmallIntegerField(default=0, help_text="Tries in a row that may succeed later.")
    due_at = models.DateTimeField(default=timezone.now, help_text="When Bedside tries next, if it can by itself.")
    held_until = models.DateTimeField(null=True)
    form = models.CharField(max_length=20, choices=Form, blank=True)
    lacking = models.CharField(max_length=300, blank=True, help_text="Why it was not saved in full.")
    resources = models.JSONField(
        default=list, help_text="What came of it: references in the chart, or the SOP instance."
    )
    steps = models.JSONField(
        default=dict, help_text="The same by the step that made it, so that a half-done try goes on."
    )
    failure = models.CharField(max_length=300, blank=True)
    requested_by = EncryptedField(null=True, help_text="fhirUser of the clinician who confirmed; empty: by policy.")
    requested_name = EncryptedField(null=True, help_text="The name under which a clinician vouches for it.")
    requested_at = models.DateTimeField(default=timezone.now)
    seen_key = models.CharField(max_length=64, blank=True, help_text="A keyed hash of the patient as confirmed.")
    payload = EncryptedField(null=True, help_text="The report on its way to the archive; gone once it is there.")
    reason = models.CharField(max_length=200, blank=True, help_text="Why it was sent again.")
    called_off_at = models.DateTimeField(
        null=True, help_text="A person, or the patient's no, stopped it: not sent again."
    )
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["assessment", "target", "aim"], name="each_aim_once")]
        indexes = [
            models.Index(fields=["due_at"], name="unsent_write_backs", condition=models.Q(status="queued")),
        ]
        permissions = [
            ("resend_writeback", "Can send a write-back again"),
            ("call_off_writeback", "Can call off a write-back"),
            ("retract_writeback", "Can retract what was written"),
        ]

    def __str__(self) -> str:
        return f"{self.aim} {self.target}: {self.status}"

    @property
    def written(self) -> bool:
        """It stands there."""
        return self.status == self.Status.SENT

    @property
    def left(self) -> list[str]:
        """Of what was taken back, what could not be deleted and stands there as entered in error."""
        return [place for place in self.resources if self.steps.get(place, DELETED) != DELETED]


class KnownLimit(models.Model):
    """What an EHR did not take from a caller, so that it is not asked for again and again; forgotten after a day."""

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="known_limits", verbose_name="EHR")
    caller = models.CharField(max_length=64, blank=True, help_text="A keyed hash of who asked; empty: whoever asks.")
    resource = models.CharField(max_length=40, blank=True, help_text="A resource type; empty: the base itself.")
    interaction = models.CharField(max_length=20)
    http_status = models.PositiveSmallIntegerField()
    issue = models.CharField(max_length=40, blank=True, help_text="The code that the EHR gave as its reason.")
    learnt_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ehr", "caller", "resource", "interaction"], name="each_limit_once")
        ]

    def __str__(self) -> str:
        return f"{self.resource or 'base'} {self.interaction}: {self.http_status}"
