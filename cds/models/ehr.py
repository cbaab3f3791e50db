"""Connected hospital systems, the tenants of every other row; who said no there, and what was found when one was looked at."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import msgspec
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from cds.errors import FhirError
from cds.fhir.searches import Announced
from cds.fhir.versions import Dialect, Version
from cds.fields import EncryptedField
from cds.http import origin
from cds.labels import LABELS
from cds.prepared import Question
from cds.presets import PRESETS

_ANNOUNCED_FOR = timedelta(days=7)  # it is read again every five minutes, unless the EHR cannot be reached


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
    fhir_base = models.URLField(
        unique=True, help_text="FHIR base URL; also the `iss` of a SMART launch.", verbose_name="FHIR base"
    )
    vendor = models.CharField(
        max_length=10,
        choices=[(preset.key, preset.name) for preset in PRESETS],
        default="other",
        help_text="Decides how it is searched where its CapabilityStatement leaves that open.",
    )
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
    announced = models.TextField(
        blank=True, editable=False, help_text="What matters of its CapabilityStatement (cds.fhir.searches), as JSON."
    )
    announced_at = models.DateTimeField(null=True, editable=False)
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
        blank=True,
        help_text="Where the EHR publishes its hook keys; the only `jku` that we accept.",
        verbose_name="hook JWKS URL",
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
    mrn_system = models.CharField(
        max_length=200, blank=True, help_text="Identifier.system of the record number.", verbose_name="MRN system"
    )
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

    population_groups = models.TextField(
        blank=True, help_text="FHIR ids of the Groups that population runs are about, one a line. Empty: everybody."
    )
    file_origins = models.CharField(
        max_length=500,
        blank=True,
        help_text="Origins of the files of its exports (Bulk Data), where they do not lie at the FHIR base.",
    )
    export_filters = models.BooleanField(
        default=False,
        verbose_name="its exports can be narrowed",
        help_text="Its $export is asked only for the codes that a service needs (_typeFilter); where it refuses that, for all.",
    )
    crawl_pace = models.FloatField(
        default=5.0,
        validators=[MinValueValidator(0.1)],
        help_text="Requests a second, where records are fetched by ordinary search.",
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
            self.fhir_version, self.announced = "", ""  # another server: it is asked again
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
    def knows_announced(self) -> bool:
        return bool(self.announced and self.announced_at and timezone.now() - self.announced_at < _ANNOUNCED_FOR)

    def keep_announced(self, found: Announced) -> None:
        """As the server says, and when; nothing else of the row is touched."""
        self.announced, self.announced_at = msgspec.json.encode(found).decode(), timezone.now()
        kept = {"announced": self.announced, "announced_at": self.announced_at}
        Ehr.objects.filter(pk=self.pk).update(**kept)

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
        return self.opted_out_by_key(self.pseudonym(patient_id))

    def opted_out_by_key(self, patient_key: str) -> bool:
        """The same, of a patient whose pseudonym is at hand."""
        return bool(_opt_outs(ehr=self.pk, patient_key=patient_key))

    @property
    def archive_searched(self) -> bool:
        """May services look into its archive for imaging studies and measurements?"""
        return type(self).objects.filter(pk=self.pk, pacs__searched=True).exists()

    def pseudonym(self, patient_id: str) -> str:
        """A keyed hash that stands for the patient where the id must not stand (logs, indexes)."""
        return salted_hmac("cds.patient", f"{self.pk}|{patient_id}", algorithm="sha256").hexdigest()


class ConnectionTest(models.Model):
    """One attempt to reach an EHR, step by step; `failed_step` is empty where all went well."""

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="connection_tests", verbose_name="EHR")
    tested_at = models.DateTimeField(default=timezone.now)
    milliseconds = models.FloatField()
    failed_step = models.CharField(max_length=60, blank=True)

    class Meta:
        indexes = [models.Index(fields=["ehr", "-tested_at"], name="latest_connection_test")]

    def __str__(self) -> str:
        return f"{self.ehr}: {self.failed_step or 'reachable'}"


class OptOut(models.Model):
    """A patient who said no, known by a keyed hash only."""

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, related_name="opt_outs", verbose_name="EHR")
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
