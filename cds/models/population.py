"""A whole population asked one question: the run, its answers one a patient, and the lines that could not be used."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cds.errors import TooLarge
from cds.fields import EncryptedField
from cds.models.assessment import Assessment
from cds.models.ehr import Ehr


class PopulationRun(models.Model):
    """One sweep: what is asked, of whom, how far it is, and what an administrator wants of it.

    `patients` = `scored` + `not_applicable` + `not_enough_data` + `failed`, when it is done; until then the sum is how
    far it is. Each block of answers moves the counts in the transaction that stores it.
    """

    class Source(models.TextChoices):
        FOLDER = "folder", "A folder of Bulk Data"
        UPLOAD = "upload", "Sent by an outside system"
        EXPORT = "export", "The EHR's export"
        CRAWL = "crawl", "Ordinary search, patient by patient"

    class Engine(models.TextChoices):
        MACHINE = "machine", "This machine"
        SPARK = "spark", "Apache Spark"

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting for a worker"
        FETCHING = "fetching", "Fetching the records"
        SCORING = "scoring", "Reading and scoring"
        PAUSED = "paused"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Wish(models.TextChoices):
        RUN = "run"
        PAUSE = "pause"
        CANCEL = "cancel"

    UNDER_WAY = (State.QUEUED, State.FETCHING, State.SCORING, State.PAUSED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ehr = models.ForeignKey(
        Ehr,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        help_text="Empty: a folder that belongs to no EHR.",
        verbose_name="EHR",
    )
    service_id = models.CharField(max_length=100, verbose_name="service")
    service_version = models.CharField(max_length=20)
    model_name = models.CharField(max_length=100, blank=True)
    model_version = models.CharField(max_length=50, blank=True)
    threshold = models.FloatField(help_text="A fraction.")
    as_of = models.DateTimeField(default=timezone.now, help_text="The moment whose record is judged.")
    source = models.CharField(max_length=10, choices=Source, default=Source.FOLDER)
    engine = models.CharField(
        max_length=10,
        choices=Engine,
        default=Engine.MACHINE,
        help_text="Each knows in its own way who has an answer: a run goes on as it began.",
    )
    detail = models.CharField(max_length=500, blank=True, help_text="The folder, or the group's id; empty: everybody.")
    since = models.DateTimeField(
        null=True,
        help_text="Only of those whose record changed later, by the EHR's clock. Their whole records are read.",
    )
    writes = models.BooleanField(
        default=True,
        help_text="Results are written back by the service's policy; otherwise the worklist has them only.",
    )
    client = models.CharField(max_length=100, blank=True, help_text="The outside system that asked for it.")
    most_patients = models.PositiveIntegerField(null=True, help_text="With more it is refused before anybody is asked.")
    asked_by = models.CharField(max_length=150, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    wish = models.CharField(max_length=10, choices=Wish, default=Wish.RUN)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it was paused, resumed or cancelled.")
    patients = models.PositiveIntegerField(null=True, help_text="Patients found; null until the files are read.")
    scored = models.PositiveIntegerField(default=0)
    not_applicable = models.PositiveIntegerField(default=0)
    not_enough_data = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    files = models.JSONField(default=dict, help_text="By file: lines, and how many were kept or not, with the reasons.")
    error = models.CharField(max_length=500, blank=True, help_text="What stopped it, in one sentence.")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["-created_at"], name="latest_population_runs")]
        permissions = [("steer_run", "Can start, pause, resume and cancel population runs")]

    def __str__(self) -> str:
        return f"{self.service_id} on {self.detail or self.ehr}: {self.state}"

    @property
    def done(self) -> int:
        """Patients that have their answer."""
        return self.scored + self.not_applicable + self.not_enough_data + self.failed

    @property
    def over(self) -> bool:
        return self.state in {self.State.DONE, self.State.CANCELLED}

    def require_few_enough(self, people: int) -> None:
        """Raises TooLarge where whoever asked may not ask about so many."""
        if self.most_patients is not None and people > self.most_patients:
            raise TooLarge(
                f"The population has {people} patients, and {self.most_patients} are the most for this caller."
            )

    @property
    def spool(self) -> Path:
        """Where this run keeps what it reads, until it is over; for its owner's eyes only."""
        return Path(settings.BULK_FOLDER) / str(self.id)

    @property
    def folder(self) -> Path:
        """Where the records lie that are read: somebody's folder, an upload, or what is fetched."""
        if self.source == self.Source.FOLDER:
            return Path(self.detail)
        return self.spool if self.source == self.Source.UPLOAD else self.spool / "fetched"


class PopulationResult(models.Model):
    """One patient's answer in a run. Of whom it is not their place to be listed, only the pseudonym and the reason."""

    class Outcome(models.TextChoices):
        SCORED = "scored"
        NOT_APPLICABLE = "not-applicable", "Not applicable"
        NOT_ENOUGH_DATA = "not-enough-data", "Not enough data"
        FAILED = "failed"

    class Left(models.TextChoices):
        OPTED_OUT = "opted-out", "The patient opted out"
        DELETED = "deleted", "The EHR has deleted the record"

    NAMELESS: ClassVar[dict[str, Any]] = {"patient_id": None, "resource": None, "panel": "", "panel_name": ""}

    run = models.ForeignKey(PopulationRun, on_delete=models.CASCADE, related_name="results")
    pseudonym = models.CharField(max_length=64)
    patient_id = EncryptedField(null=True)
    outcome = models.CharField(max_length=20, choices=Outcome)
    reason = models.CharField(max_length=100, help_text="The rule that spoke, or why nothing could be said.")
    probability = models.FloatField(null=True, help_text="A fraction.")
    alerts = models.BooleanField(default=False)
    age = models.PositiveSmallIntegerField(null=True, help_text="Years.")
    sex = models.CharField(max_length=10, blank=True)
    last_test = models.DateField(null=True, help_text="When the service's main test was last done.")
    panel = models.TextField(blank=True, help_text="Patient.generalPractitioner, and Lists; one a line.")
    panel_name = models.TextField(blank=True, help_text="In the same order.")
    assessment = models.ForeignKey(Assessment, on_delete=models.PROTECT, null=True, related_name="population_results")
    resource = EncryptedField(null=True, help_text="FHIR, for the outside system that asked; goes after BATCH_HOURS.")
    left = models.CharField(
        max_length=10, choices=Left, blank=True, help_text="Why they are listed and given out no more; counts stay."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pseudonym", "run"], name="nobody_twice_in_a_run")]
        indexes = [
            models.Index(fields=["run", "-probability"], name="highest_risk_of_a_run"),
            models.Index(fields=["run", "outcome", "reason"], name="reasons_of_a_run"),
        ]
        permissions = [("open_worklist", "Can open the worklist of a population run")]

    def __str__(self) -> str:
        return f"{self.outcome} ({self.reason})"

    @property
    def panels(self) -> list[tuple[str, str]]:
        """Each with its reference and its name."""
        return list(zip(self.panel.split("\n"), self.panel_name.split("\n"), strict=False))

    @property
    def panel_names(self) -> str:
        return "; ".join(self.panel_name.split("\n"))


class PopulationFlaw(models.Model):
    """A line that was not used. Of many with one reason in one file the first are listed; the run counts all."""

    run = models.ForeignKey(PopulationRun, on_delete=models.CASCADE, related_name="flaws")
    file = models.CharField(max_length=200)
    line = models.PositiveIntegerField()
    reason = models.CharField(max_length=100)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "file", "line"], name="each_flawed_line_once")]

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}"
