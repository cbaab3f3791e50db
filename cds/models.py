"""Connections, decisions and their traces. Every row below an `Ehr` belongs to it: the Ehr is the tenant."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from cds.context import PatientContext
from cds.errors import FhirError, Gone
from cds.fhir.versions import Dialect, Version
from cds.fields import EncryptedField
from cds.finding import Outcome, from_json
from cds.http import origin
from cds.labels import LABELS
from cds.prepared import Question
from scoring.models import ModelVersion


def _spelt_out(url: str) -> str:
    """What two spellings of one FHIR base have in common."""
    try:
        return f"{origin(url)}{unquote(urlsplit(url).path)}".rstrip("/")
    except (ValueError, FhirError) as error:
        raise ValidationError({"fhir_base": "Not an address: its port is no number up to 65535."}) from error


def _is_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError) as error:
        raise ValidationError("Not a time zone, such as Europe/Berlin.") from error


def _are_labels(names: str) -> None:
    """A misspelt label would silently keep what the hospital wants read, or read what it wants kept."""
    unknown = sorted(set(names.replace(",", " ").split()) - LABELS)
    if unknown:
        raise ValidationError(f"Not a label that Bedside keeps out: {', '.join(unknown)}.")


class Ehr(models.Model):
    """One connected hospital system."""

    class HooksVersion(models.TextChoices):
        V2_0 = "2.0", "2.0"
        V3_0 = "3.0", "3.0 (ballot)"

    class ClientKind(models.TextChoices):
        PUBLIC = "public", "Public: PKCE alone"
        SYMMETRIC = "symmetric", "Confidential: a secret"
        ASYMMETRIC = "asymmetric", "Confidential: signed with our keys (private_key_jwt)"

    class Refresh(models.TextChoices):
        NEVER = "", "Never: the session ends with its token"
        ONLINE = "online_access", "While the clinician is online there"
        OFFLINE = "offline_access", "Any time, for EHRs that know only this"

    class Environment(models.TextChoices):
        PRODUCTION = "production", "Production: patients are cared for here"
        TEST = "test", "Test: invented patients; bannered, and out of every statistic"

    name = models.CharField(max_length=100, unique=True)
    environment = models.CharField(max_length=10, choices=Environment, default=Environment.PRODUCTION)
    fhir_base = models.URLField(unique=True, help_text="FHIR base URL; also the `iss` of a SMART launch.")
    fhir_version = models.CharField(
        max_length=3,
        choices=[(one.value, f"{one.name} ({one.value})") for one in Version],
        blank=True,
        verbose_name="FHIR version",
        help_text="As the server says; empty: it is asked when it is first needed, and at each test of the connection.",
    )
    fhir_version_named = models.BooleanField(
        default=False,
        verbose_name="several FHIR versions at this address",
        help_text="So each request names the one above, as the server asks in its CapabilityStatement.",
    )
    client_id = models.CharField(max_length=200, blank=True, help_text="Our OAuth client id at this EHR.")
    client_kind = models.CharField(max_length=10, choices=ClientKind, default=ClientKind.PUBLIC)
    client_secret = EncryptedField(null=True, blank=True, help_text="Of a confidential client with a secret.")
    client_algorithm = models.CharField(
        max_length=5, choices=[("ES384", "ES384"), ("RS384", "RS384")], default="ES384", help_text="Signs assertions."
    )
    system_client_id = models.CharField(
        max_length=200,
        blank=True,
        help_text="Our client id for work without a user (SMART Backend Services). Empty: none is done.",
    )
    login_origins = models.CharField(
        max_length=500, blank=True, help_text="Origins of the login server, where it is not that of the FHIR base."
    )
    standalone = models.BooleanField(default=False, help_text="May be opened from our own page, without a chart.")
    refresh = models.CharField(max_length=20, choices=Refresh, default=Refresh.NEVER, blank=True)
    hook_issuer = models.URLField(
        null=True,
        blank=True,
        help_text="`iss` of the JWT with which the EHR signs its hooks; empty: none.",
    )
    hook_jwks_url = models.URLField(
        blank=True, help_text="Where the EHR publishes its hook keys; the only `jku` that we accept."
    )
    hooks_version = models.CharField(
        max_length=5, choices=HooksVersion, default=HooksVersion.V2_0, help_text="CDS Hooks as the EHR speaks it."
    )
    hook_tenant = models.CharField(
        max_length=200,
        blank=True,
        help_text="The `tenant` that the JWT must name; needed where one issuer signs for several EHRs.",
    )
    hook_algorithms = models.CharField(max_length=50, default="ES384,RS384", help_text="Accepted, separated by comma.")
    frame_ancestors = models.CharField(max_length=500, blank=True, help_text="Origins that may frame our pages.")
    mrn_system = models.CharField(max_length=200, blank=True, help_text="Identifier.system of the record number.")
    time_zone = models.CharField(max_length=50, default="UTC", validators=[_is_zone])
    private_network = models.BooleanField(default=False, help_text="The EHR's addresses are private ones, on purpose.")
    active = models.BooleanField(default=True)
    test_patients = models.TextField(
        blank=True, help_text="FHIR ids of invented patients in this record, one a line. They stay out of statistics."
    )
    labels_read = models.CharField(
        max_length=50,
        blank=True,
        validators=[_are_labels],
        help_text="Security labels whose entries are used all the same, by comma: R, V, PSY, ETH, HIV. Empty: none.",
    )
    restricted_in_hooks = models.BooleanField(
        default=False, help_text="Cards are shown in restricted (R, V) charts too. Otherwise only the page answers."
    )

    class Meta:
        verbose_name = "EHR"
        constraints = [
            models.UniqueConstraint(fields=["hook_issuer", "hook_tenant"], name="one_ehr_per_issuer_and_tenant")
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """One base is one EHR, however it is spelt: so a test EHR never reaches a production record."""
        self.fhir_base = self.fhir_base.strip().rstrip("/")
        if Ehr.objects.filter(pk=self.pk).exclude(fhir_base=self.fhir_base).exists():
            self.fhir_version = ""  # another server: it is asked again
        others = Ehr.objects.exclude(pk=self.pk).values_list("name", "fhir_base")
        same = [name for name, base in others if _spelt_out(base) == _spelt_out(self.fhir_base)]
        if same:
            raise ValidationError({"fhir_base": f"{same[0]} has this FHIR base already."})
        self._require_own_tenant()

    def _require_own_tenant(self) -> None:
        """Where EHRs share an issuer, only the tenant tells them apart: none of them may do without."""
        sharing = Ehr.objects.exclude(pk=self.pk).filter(hook_issuer=self.hook_issuer or None)
        taken = {row.hook_tenant: row.name for row in sharing} if self.hook_issuer else {}
        if not taken:
            return
        if not self.hook_tenant:
            told = f"{next(iter(taken.values()))} has this hook issuer, too: enter the tenant that its tokens name."
            raise ValidationError({"hook_tenant": told})
        if "" in taken:
            raise ValidationError({"hook_tenant": f"{taken['']} has this hook issuer, too: enter its tenant first."})
        if self.hook_tenant in taken:
            raise ValidationError({"hook_tenant": f"{taken[self.hook_tenant]} has this issuer and tenant already."})

    @property
    def dialect(self) -> Dialect | None:
        """None until the server was asked."""
        return Dialect(Version(self.fhir_version), named=self.fhir_version_named) if self.fhir_version else None

    def keep_dialect(self, found: Dialect) -> None:
        """As the server says; nothing else of the row is touched."""
        self.fhir_version, self.fhir_version_named = found.version.value, found.named
        kept = {"fhir_version": self.fhir_version, "fhir_version_named": found.named}
        Ehr.objects.filter(pk=self.pk).exclude(**kept).update(**kept)

    @property
    def is_test(self) -> bool:
        return self.environment != self.Environment.PRODUCTION

    def is_invented(self, patient_id: str) -> bool:
        """A test patient, or anybody in a test EHR: answered like others, counted in no statistic."""
        return self.is_test or patient_id in self.test_patients.split()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def now(self) -> datetime:
        """The time there."""
        return timezone.now().astimezone(self.zone)

    def opted_out(self, patient_id: str) -> bool:
        """Has this patient said no? Then nothing is scored, stored or trained on."""
        return bool(_opt_outs(ehr=self.pk, patient_key=self.pseudonym(patient_id)))

    def pseudonym(self, patient_id: str) -> str:
        """A keyed hash that stands for the patient where the id must not stand (logs, indexes)."""
        return salted_hmac("cds.patient", f"{self.pk}|{patient_id}", algorithm="sha256").hexdigest()


def _is_ae_title(name: str) -> None:
    """PS3.5, 6.2, AE: printable ASCII without a backslash, and not blank."""
    if not (name.isascii() and name.isprintable() and name.strip() and "\\" not in name):
        raise ValidationError("Not an AE title: letters, digits, spaces and most signs of ASCII; no backslash.")


class Pacs(models.Model):
    """Where an EHR's reports go in DICOM. An EHR without a row uses the folder."""

    class Kind(models.TextChoices):
        FOLDER = "folder", "A folder on this server (DICOM_FOLDER)"
        DICOMWEB = "dicomweb", "DICOMweb: STOW-RS over HTTPS"
        DIMSE = "dimse", "DIMSE: C-STORE"

    ehr = models.OneToOneField(Ehr, on_delete=models.CASCADE, related_name="pacs")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.FOLDER)
    private_network = models.BooleanField(default=False, help_text="Its addresses are private ones, on purpose.")
    url = models.URLField(
        blank=True,
        help_text="DICOMweb: the base under which /studies stands; https, except in a private network.",
    )
    user = models.CharField(max_length=200, blank=True, help_text="DICOMweb: empty if the secret is a bearer token.")
    secret = EncryptedField(null=True, blank=True)
    host = models.CharField(max_length=253, blank=True, help_text="DIMSE: host name or address.")
    port = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="DIMSE: often 104 or 11112; 2762 with TLS.",
        validators=[MaxValueValidator(65535)],
    )
    called_ae = models.CharField(
        "its AE title", max_length=16, blank=True, validators=[_is_ae_title], help_text="DIMSE, as its people tell it."
    )
    calling_ae = models.CharField(
        "our AE title",
        max_length=16,
        default="BEDSIDE",
        validators=[_is_ae_title],
        help_text="DIMSE; hand it over to its people.",
    )
    tls = models.BooleanField("TLS", default=False, help_text="DIMSE; without it reports travel in clear text.")
    trusted_certificates = models.TextField(
        blank=True, help_text="DIMSE with TLS, in PEM: who signed its certificate. Empty: whom this server trusts."
    )
    certificate = models.TextField(blank=True, help_text="DIMSE with TLS, in PEM: ours, if it asks who calls.")
    certificate_key = EncryptedField(null=True, blank=True)

    class Meta:
        verbose_name = "archive (PACS)"
        verbose_name_plural = "archive (PACS)"

    def __str__(self) -> str:
        return f"archive of {self.ehr}"

    def clean(self) -> None:
        """Each kind needs its own address."""
        wanted = {self.Kind.DICOMWEB: ("url",), self.Kind.DIMSE: ("host", "port", "called_ae")}.get(
            self.Kind(self.kind), ()
        )
        missing = {name: "Needed for this kind of archive." for name in wanted if not getattr(self, name)}
        if missing:
            raise ValidationError(missing)


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
        AUTO = "auto", "Auto: written when assessed, as preliminary; live services only, never restricted charts"

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="services")
    service_id = models.CharField(max_length=100)
    stage = models.CharField(max_length=10, choices=Stage, default=Stage.SILENT)
    canary_percent = models.PositiveSmallIntegerField(default=10, help_text="The share of users that a canary reaches.")
    threshold = models.FloatField(null=True, blank=True, help_text="A fraction; empty: the service's own.")
    write_back = models.CharField(max_length=10, choices=WriteBackPolicy, default=WriteBackPolicy.SUGGEST)
    cool_down_hours = models.PositiveSmallIntegerField(
        default=8, help_text="For so long the same informing card is not shown again to the same user. 0: always shown."
    )
    daily_budget = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Informing cards a user and day; warnings are never held back. Empty: no limit.",
    )
    off_reason = models.CharField(max_length=200, blank=True, help_text="Why it was switched off.")
    off_by = models.CharField(max_length=150, blank=True)
    off_at = models.DateTimeField(null=True)

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
    def shown(self) -> bool:
        """To anybody at all."""
        return self.stage in {self.Stage.CANARY, self.Stage.LIVE}

    def shown_to(self, user_key: str) -> bool:
        """A canary's users are drawn by hash: each stays on one side, and a larger share keeps those of the smaller."""
        if self.stage != self.Stage.CANARY:
            return self.shown
        drawn = hashlib.sha256(f"canary|{self.service_id}|{user_key}".encode()).digest()
        return bool(user_key) and int.from_bytes(drawn) % 100 < self.canary_percent


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

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="stage_changes")
    service_id = models.CharField(max_length=100)
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


class ConnectionTest(models.Model):
    """One attempt to reach an EHR, step by step; `failed_step` is empty where all went well."""

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="connection_tests")
    tested_at = models.DateTimeField(default=timezone.now)
    milliseconds = models.FloatField()
    failed_step = models.CharField(max_length=60, blank=True)

    class Meta:
        indexes = [models.Index(fields=["ehr", "-tested_at"], name="latest_connection_test")]

    def __str__(self) -> str:
        return f"{self.ehr}: {self.failed_step or 'reachable'}"


class Assessment(models.Model):
    """The case file and the job ticket: what was asked, from which facts, by which versions, with which answer."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        DONE = "done"
        FAILED = "failed"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ehr = models.ForeignKey(Ehr, on_delete=models.PROTECT)
    service_id = models.CharField(max_length=100)
    service_version = models.CharField(max_length=20)
    model_version = models.CharField(max_length=50, blank=True)
    threshold = models.FloatField()
    fingerprint = models.CharField(max_length=64)
    patient_key = models.CharField(max_length=64, db_index=True)
    snapshot = EncryptedField(null=True, help_text="The facts; deleted after SNAPSHOT_RETENTION_DAYS.")
    snapshot_hmac = models.CharField(max_length=80, blank=True, help_text="What is left of the facts then.")
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    result = EncryptedField(null=True)
    failure = models.CharField(max_length=200, blank=True, help_text="The error's class; its message is in the log.")
    test = models.BooleanField(default=False, help_text="Of an invented patient: out of statistics.")
    created_at = models.DateTimeField(default=timezone.now)
    queued_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    collected_at = models.DateTimeField(null=True, help_text="Since when the statistics know it (cds.outcomes).")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ehr", "service_id", "fingerprint"], name="one_assessment_per_fingerprint")
        ]
        indexes = [
            models.Index(
                fields=["queued_at"],
                name="unfinished_assessments",
                condition=models.Q(status="queued"),
            ),
            models.Index(
                fields=["finished_at"],
                name="uncollected_assessments",
                condition=models.Q(status="done", collected_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service_id} {self.id}: {self.status}"

    @property
    def settled(self) -> bool:
        return self.status == self.Status.DONE

    @property
    def context(self) -> PatientContext:
        if self.snapshot is None:
            raise Gone("the facts behind this assessment were deleted after their retention time")
        return PatientContext.from_json(self.snapshot)

    @property
    def outcome(self) -> Outcome | None:
        return from_json(self.result) if self.result else None


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

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE)
    service_id = models.CharField(max_length=100)
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
    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE)
    service_id = models.CharField(max_length=100)
    patient_key = models.CharField(max_length=64)
    rule = models.CharField(max_length=50)
    user_key = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=100)
    until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["patient_key", "service_id", "rule"], name="snoozes_of_a_patient")]

    def __str__(self) -> str:
        return f"{self.service_id} {self.rule}: {self.reason} until {self.until:%Y-%m-%d}"


class OptOut(models.Model):
    """A patient who said no, known by a keyed hash only."""

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="opt_outs")
    patient_key = models.CharField(max_length=64)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "opt-out"
        constraints = [models.UniqueConstraint(fields=["ehr", "patient_key"], name="opted_out_once")]

    def __str__(self) -> str:
        return f"{self.patient_key[:8]} at {self.ehr}"


_opt_outs = Question(
    lambda ehr, patient_key: OptOut.objects.filter(ehr=ehr, patient_key=patient_key).only("pk"),
    ehr=models.IntegerField(),
    patient_key=models.CharField(),
)


class WriteBack(models.Model):
    """One answer's way to one place: what should become of it there (`aim`), and how far that has come (`status`).

    Who works on it holds it until `held_until`; `tries` counts and numbers the holders, so that one who was taken for
    dead changes nothing any more.
    """

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
    requested_at = models.DateTimeField(default=timezone.now)
    seen_key = models.CharField(max_length=64, blank=True, help_text="A keyed hash of the patient as confirmed.")
    payload = EncryptedField(null=True, help_text="The report on its way to the archive; gone once it is there.")
    reason = models.CharField(max_length=200, blank=True, help_text="Why it was sent again.")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["assessment", "target"], name="each_target_once")]
        indexes = [
            models.Index(fields=["due_at"], name="unsent_write_backs", condition=models.Q(status="queued")),
        ]
        permissions = [("resend_writeback", "Can send a write-back again")]

    def __str__(self) -> str:
        return f"{self.target}: {self.status}"

    @property
    def written(self) -> bool:
        """It stands there."""
        return self.status == self.Status.SENT


class KnownLimit(models.Model):
    """What an EHR did not take from a caller, so that it is not asked for again and again; forgotten after a day."""

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="known_limits")
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


class AuditEntry(models.Model):
    """Who saw or sent what. Append-only, in the database too; sealed into a hash chain by `cds.chain.seal`."""

    ehr = models.ForeignKey(Ehr, on_delete=models.PROTECT, null=True)
    recorded_at = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=40)
    actor = models.CharField(max_length=64, help_text="A keyed hash of the user, or the name of a system.")
    address = models.CharField(max_length=45, blank=True, help_text="Where the request came from; empty: our own work.")
    patient_key = models.CharField(max_length=64, blank=True, db_index=True)
    subject = models.CharField(max_length=100, blank=True, help_text="What it was about: an assessment, a card.")
    detail = models.JSONField(default=dict)
    sequence = models.BigIntegerField(null=True, unique=True)
    key_id = models.CharField(max_length=8, blank=True, help_text="Which of AUDIT_KEY sealed it.")
    seal = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.recorded_at:%Y-%m-%d %H:%M:%S} {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """An entry is never changed."""
        if self.pk:
            raise PermissionError("audit entries are append-only")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise PermissionError("audit entries are append-only")


class PurgedSegment(models.Model):
    """What is left of audit entries that were purged after their retention: enough for the chain to go on from."""

    first = models.BigIntegerField(unique=True)
    last = models.BigIntegerField(unique=True)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    last_seal = models.CharField(max_length=64)
    purged_at = models.DateTimeField(default=timezone.now)
    key_id = models.CharField(max_length=8)
    seal = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"audit entries {self.first} to {self.last}, purged"


class SigningKey(models.Model):
    """A key of ours, with which we prove to EHRs who asks; published at once, used from `signs_from`, never edited."""

    kid = models.CharField(max_length=64, unique=True)
    algorithm = models.CharField(max_length=5)
    private_jwk = EncryptedField()
    signs_from = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.algorithm} {self.kid}"
