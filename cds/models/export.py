"""What is fetched for a population run: where the EHR writes its export, each of its files, and how far it is."""

from __future__ import annotations

from pathlib import Path

from django.db import models
from django.utils import timezone

from cds.fields import EncryptedField
from cds.models.population import PopulationRun


class Export(models.Model):
    """One fetch, from the first question to the last file. Its addresses may open records by themselves: encrypted."""

    run = models.OneToOneField(PopulationRun, on_delete=models.CASCADE, related_name="export")
    status_url = EncryptedField(
        null=True,
        help_text="Where the EHR says how far its export is; empty: none is there.",
        verbose_name="status URL",
    )
    kinds = models.JSONField(default=list, help_text="The types that were asked for. Of all others nothing is known.")
    progress = models.CharField(max_length=100, blank=True, help_text="In the EHR's words (X-Progress).")
    tries = models.PositiveSmallIntegerField(default=0, help_text="Questions without an answer to when to ask again.")
    next_at = models.DateTimeField(null=True, help_text="The EHR is not asked before.")
    begun_at = models.DateTimeField(default=timezone.now)
    listed_at = models.DateTimeField(null=True, help_text="When its files were known.")
    fetched_at = models.DateTimeField(null=True, help_text="When all of it was here.")
    transaction_time = models.CharField(max_length=40, blank=True, help_text="As the EHR's clock has it.")
    said = models.JSONField(
        default=dict, help_text="By file of what the EHR left out: its reasons, and how often each."
    )
    heard = models.JSONField(
        default=dict,
        help_text="By file of what only names who changed, or what was deleted: its lines, how many were of use, "
        "and why others were not.",
    )
    needs_token = models.BooleanField(default=True, help_text="Are its files opened by our token, or by their address?")

    def __str__(self) -> str:
        return f"export for {self.run_id}"


class ExportFile(models.Model):
    """One file of an export; with its hash once it is here."""

    class Part(models.TextChoices):
        OUTPUT = "output"
        DELETED = "deleted"
        ERROR = "error"

    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="files")
    part = models.CharField(max_length=10, choices=Part)
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=60, blank=True, help_text="The type of its resources, where there is one.")
    url = EncryptedField(verbose_name="URL")
    count = models.PositiveBigIntegerField(null=True, help_text="Lines, as the EHR says.")
    size = models.PositiveBigIntegerField(null=True, help_text="Bytes, inflated.")
    lines = models.PositiveBigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["export", "part", "position"], name="each_export_file_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return f"{self.kind or self.part}.{self.position:05}.ndjson"

    @property
    def path(self) -> Path:
        """Records lie where the run reads them; what is said about them, or only names who changed, lies apart."""
        run = self.export.run
        read = self.part == self.Part.OUTPUT and run.since is None
        return (run.folder if read else run.spool / self.part) / self.name

    @property
    def here(self) -> bool:
        """Whole, from this process or one before."""
        return bool(self.sha256) and self.path.is_file() and self.path.stat().st_size == self.size
