"""Where a service runs, how far it is shown, and who changed that."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from cds.models.ehr import Ehr
from cds.protocol import Arm
from scoring.models import ModelVersion

if TYPE_CHECKING:
    from cds.models.assessment import Assessment
    from cds.models.experiment import Enrolment

_A_FRACTION = "A fraction from 0 to 1: 0.1 stands for ten per cent."
A_FRACTION = [MinValueValidator(0, _A_FRACTION), MaxValueValidator(1, _A_FRACTION)]


class EnabledService(models.Model):
    """A decision service at an EHR: its stage there, its threshold, what it may write."""

    class Stage(models.TextChoices):
        OFF = "off", "Off: not offered"
        SILENT = "silent", "Silent: scored and stored, never shown"
        CANARY = "canary", "Canary: shown to a share of the users, silent for the rest"
        LIVE = "live", "Live"

    class WriteBackPolicy(models.TextChoices):
        OFF = "off", "Off: nothing is written"
        SUGGEST = "suggest", "Suggest: a clinician confirms each write"
        HOOK = (
            "hook",
            "Hook: the EHR files it from the hook's answer (system action), as preliminary; only where agreed",
        )
        AUTO = "auto", "Auto: written when assessed, as preliminary; live services only, never restricted charts"

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="services", verbose_name="EHR")
    service_id = models.CharField(max_length=100, verbose_name="service")
    stage = models.CharField(max_length=10, choices=Stage, default=Stage.SILENT)
    canary_percent = models.PositiveSmallIntegerField(default=10, help_text="The share of users that a canary reaches.")
    threshold = models.FloatField(
        null=True,
        blank=True,
        validators=A_FRACTION,
        help_text="A fraction; empty: the service's own.",
    )
    write_back = models.CharField(max_length=10, choices=WriteBackPolicy, default=WriteBackPolicy.SUGGEST)
    cool_down_hours = models.PositiveSmallIntegerField(
        default=8, help_text="For so long the same informing card is not shown again to the same user. 0: always shown."
    )
    daily_budget = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Informing cards a user and day; warnings are never held back. Empty: no limit.",
    )
    by_facility = models.BooleanField(
        default=False, editable=False, help_text="Facilities differ: each call is asked where it happens."
    )
    experiment = models.ForeignKey(
        "cds.Experiment", on_delete=models.SET_NULL, null=True, related_name="+", help_text="The one that runs here."
    )
    drawn_by_place = models.BooleanField(
        default=False, editable=False, help_text="It draws departments: each call is asked where it happens."
    )
    off_reason = models.CharField(max_length=200, blank=True, help_text="Why it was switched off.")
    off_by = models.CharField(max_length=150, blank=True)
    off_at = models.DateTimeField(null=True)
    # For one call, where an experiment runs (cds.experiments.in_arm): the way that was drawn, and the row that says so.
    arm: Arm | None = None
    enrolment: Enrolment | None = None
    # For one call about one patient (cds.opening.enabled_for): have they said no, does their record tell of a merge, is a
    # card about them snoozed? Without a patient it is not known, so it could be.
    opted_out = merged = snoozed = True

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ehr", "service_id"], name="one_row_per_service_and_ehr")]
        permissions = [
            ("switch_off", "Can switch a service off or lower its stage at once"),
            ("ask_stage", "Can ask for a higher stage"),
            ("approve_stage", "Can decide on a stage that somebody else asked for"),
        ]

    def __str__(self) -> str:
        return f"{self.service_id} at {self.ehr}: {self.stage}"

    @property
    def asks_where(self) -> bool:
        """Does it matter where the encounter is?"""
        return self.by_facility or self.drawn_by_place

    @property
    def shown(self) -> bool:
        """To anybody at all."""
        return self.stage in {self.Stage.CANARY, self.Stage.LIVE}

    def shown_to(self, user_key: str) -> bool:
        """A canary's users are drawn by hash: each stays on one side, and a larger share keeps those of the smaller."""
        if self.arm and not self.arm.shown:
            return False
        if self.stage != self.Stage.CANARY:
            return self.shown
        drawn = hashlib.sha256(f"canary|{self.service_id}|{user_key}".encode()).digest()
        return bool(user_key) and int.from_bytes(drawn) % 100 < self.canary_percent

    def enrolled(self, assessment: Assessment) -> list[Enrolment]:
        """The row, still to be inserted, that says in which arm this patient was asked about; [] without an experiment."""
        if self.enrolment is None:
            return []
        self.enrolment.assessment = assessment
        return [self.enrolment]


class Change(models.Model):
    """What one person asked for and another one decided on, with the reasons of both.

    A `key` is how the audit names a person, and who is who is told by it; the names are for people.
    """

    class Verdict(models.TextChoices):
        WAITING = "waiting"
        MADE = "made"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn", "Withdrawn or overtaken"

    verdict = models.CharField(max_length=10, choices=Verdict, default=Verdict.WAITING)
    alone = models.BooleanField(default=False, help_text="To the safe side, or where nobody is at risk: one is enough.")
    asked_by = models.CharField(max_length=150)
    asked_key = models.CharField(max_length=64)
    asked_at = models.DateTimeField(default=timezone.now)
    why = models.CharField(max_length=500)
    decided_by = models.CharField(max_length=150, blank=True)
    decided_key = models.CharField(max_length=64, blank=True)
    decided_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=500, blank=True, help_text="The reason of whoever decided.")
    exception = models.CharField(max_length=500, blank=True, help_text="Why it did not wait for the whole scorecard.")
    evidence = models.JSONField(null=True, help_text="The scorecard as whoever decided saw it.")

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                name="%(class)s_takes_two_people",
                condition=~models.Q(verdict="made")
                | models.Q(alone=True)
                | ~models.Q(decided_key__in=[models.F("asked_key"), ""]),
            )
        ]


class StageChange(Change):
    """One step of a service at an EHR, up or down; all rows together are its history."""

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="stage_changes", verbose_name="EHR")
    service_id = models.CharField(max_length=100, verbose_name="service")
    before = models.CharField(max_length=10, choices=EnabledService.Stage)
    after = models.CharField(max_length=10, choices=EnabledService.Stage)
    percent_before = models.PositiveSmallIntegerField(default=0)
    percent = models.PositiveSmallIntegerField(default=0, help_text="Of the users, where it is a canary.")

    class Meta(Change.Meta):
        constraints = [
            *Change.Meta.constraints,
            models.UniqueConstraint(
                fields=["ehr", "service_id"], condition=models.Q(verdict="waiting"), name="one_stage_is_asked_for"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service_id} at {self.ehr}: {self.step}, {self.verdict}"

    @property
    def step(self) -> str:
        before, after = (
            f"{stage} {percent} %" if stage == EnabledService.Stage.CANARY else stage
            for stage, percent in ((self.before, self.percent_before), (self.after, self.percent))
        )
        return f"{before} to {after}"


class SettingsChange(Change):
    """Other settings of a service at an EHR, for what was asked for together; all rows together are their history.

    `before` and `after` hold those fields of the `EnabledService`, or of its `AtFacility`, that differ.
    """

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="settings_changes", verbose_name="EHR")
    service_id = models.CharField(max_length=100, verbose_name="service")
    facility = models.CharField(max_length=80, blank=True, help_text="The reference of the one where it counts.")
    before = models.JSONField()
    after = models.JSONField()

    class Meta(Change.Meta):
        constraints = [
            *Change.Meta.constraints,
            models.UniqueConstraint(
                fields=["ehr", "service_id"], condition=models.Q(verdict="waiting"), name="one_setting_is_asked_for"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service_id} at {self.ehr}: {self.step}, {self.verdict}"

    @property
    def step(self) -> str:
        where = f"at {self.facility}: " if self.facility else ""
        own = "that of the whole EHR" if self.facility else "the service's own"
        return where + "; ".join(
            f"{name.replace('_', ' ')} {_said(name, self.before[name], own)} to {_said(name, value, own)}"
            for name, value in self.after.items()
        )


def _said(name: str, value: object, own: str) -> str:
    """A setting, for people; `own`: what a threshold that is not set means."""
    match name, value:
        case "threshold", None:
            return own
        case "threshold", float(fraction):
            return f"{100 * fraction:.6g} %"
        case "daily_budget", None:
            return "without limit"
        case "off", bool(off):
            return "yes" if off else "no"
        case _:
            return str(value)


class ModelChange(Change):
    """Which version of a model is in use, everywhere: asked for, decided on, rolled back."""

    class Kind(models.TextChoices):
        USE = "use", "Use it"
        ROLL_BACK = "roll-back", "Back to it"
        RETIRE = "retire", "Never use it"

    kind = models.CharField(max_length=10, choices=Kind, default=Kind.USE)
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="changes")
    before = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta(Change.Meta):
        constraints = [
            *Change.Meta.constraints,
            models.UniqueConstraint(
                fields=["version"], condition=models.Q(verdict="waiting"), name="one_wish_for_a_version"
            ),
        ]
        permissions = [
            ("ask_model", "Can ask for another version of a model"),
            ("approve_model", "Can decide on a version of a model that somebody else asked for"),
            ("roll_back_model", "Can go back to the version of a model that was in use before"),
        ]

    def __str__(self) -> str:
        return f"{self.version.name}: {self.step}, {self.verdict}"

    @property
    def step(self) -> str:
        before = f"{self.before.version} to " if self.before else ""
        return f"{self.get_kind_display()}: {before}{self.version.version}"
