"""Outside systems that ask us (SMART Backend Services, seen from the server): who they are, their tokens, their calls."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from cds.errors import FhirError
from cds.http import origin
from cds.models import Ehr, PopulationRun
from smartapp.backend.scopes import PREDICT, granted


def _new_client_id() -> str:
    return f"client-{secrets.token_hex(8)}"


class BackendClient(models.Model):
    """An outside system that may ask about the patients of one EHR; it proves itself with its own keys."""

    name = models.CharField(max_length=100, unique=True)
    ehr = models.ForeignKey(
        Ehr, on_delete=models.PROTECT, help_text="Whose patients it may ask about.", verbose_name="EHR"
    )
    client_id = models.CharField(
        max_length=200, unique=True, default=_new_client_id, help_text="`iss` and `sub` of its assertions."
    )
    active = models.BooleanField(default=True, help_text="Off: no new token, and those that it has are worth nothing.")
    jwks_url = models.URLField(
        blank=True,
        verbose_name="JWKS address",
        help_text="Where it publishes its public keys, so that it can rotate them without us.",
    )
    jwks = models.TextField(
        blank=True, verbose_name="JWKS", help_text="The public keys themselves, where it cannot publish them."
    )
    algorithms = models.CharField(max_length=50, default="RS384 ES384", help_text="Accepted, separated by a space.")
    scopes = models.CharField(max_length=500, default=PREDICT, help_text="At most this is granted.")
    calls_per_minute = models.PositiveIntegerField(default=120, help_text="More are answered 429.")
    batches_per_day = models.PositiveIntegerField(default=12, help_text="Begun within 24 hours; more are answered 429.")
    patients_per_batch = models.PositiveIntegerField(default=1_000_000, help_text="A larger batch is refused.")

    class Meta:
        verbose_name = "caller"

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if bool(self.jwks_url) == bool(self.jwks.strip()):
            raise ValidationError("Either the address of its keys, or the keys themselves.")
        if self.jwks_url and not self.ehr.private_network and not self.jwks_url.startswith("https://"):
            raise ValidationError({"jwks_url": "Not https, which only an EHR in a private network may do without."})
        try:
            origin(self.jwks_url)
        except FhirError as error:
            raise ValidationError({"jwks_url": "Not an address."}) from error

    @property
    def actor(self) -> str:
        """As the audit trail names it."""
        return f"caller {self.pk}"

    # --- What Authlib asks a client (its ClientMixin) -----------------------------------------------------------
    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == "private_key_jwt"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"

    def get_allowed_scope(self, scope: str) -> str | None:
        """None: nothing of it, which Authlib answers with invalid_scope."""
        return granted(scope, self.scopes.split()) or None


class UsedAssertion(models.Model):
    """A `jti` that was used; the row's key makes the first use win, in all processes."""

    client = models.ForeignKey(BackendClient, on_delete=models.CASCADE)
    jti_hash = models.CharField(max_length=64)
    until = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "jti_hash"], name="an_assertion_is_used_once")]

    def __str__(self) -> str:
        return f"used assertion of {self.client}, until {self.until:%Y-%m-%d %H:%M:%S}"


class AccessToken(models.Model):
    """An opaque token, known by its hash only; it opens the API for minutes."""

    token_hash = models.CharField(max_length=64, primary_key=True)
    client = models.ForeignKey(BackendClient, on_delete=models.CASCADE)
    scope = models.CharField(max_length=500)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"token of {self.client}, until {self.expires_at:%Y-%m-%d %H:%M:%S}"


class Batch(models.Model):
    """A population that a caller has us ask about; the run does the work and has the answers."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey(BackendClient, on_delete=models.PROTECT, related_name="batches")
    run = models.OneToOneField(PopulationRun, on_delete=models.PROTECT, related_name="batch")
    created_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, help_text="By its caller; it still counts for the day.")

    class Meta:
        verbose_name_plural = "batches"
        indexes = [models.Index(fields=["client", "-created_at"], name="latest_batches_of_a_caller")]

    def __str__(self) -> str:
        return f"batch of {self.client}, {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def expires_at(self) -> datetime | None:
        """None while it is under way."""
        if self.run.state in PopulationRun.UNDER_WAY:
            return None
        return (self.run.finished_at or self.created_at) + timedelta(hours=settings.BATCH_HOURS)

    @property
    def not_scored(self) -> int:
        """Patients who got a reason instead."""
        return self.run.done - self.run.scored

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


class ApiCall(models.Model):
    """One call: metadata and timing; nothing of what was sent or answered."""

    client = models.ForeignKey(BackendClient, on_delete=models.CASCADE, related_name="calls")
    operation = models.CharField(max_length=40)
    status = models.PositiveSmallIntegerField(help_text="The HTTP status of our answer.")
    milliseconds = models.FloatField()
    received_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name = "call of a caller"
        verbose_name_plural = "calls of callers"

    def __str__(self) -> str:
        return f"{self.operation} {self.status} in {self.milliseconds:.0f} ms"


def usable(algorithms: str) -> list[str]:
    """Of what a row accepts, what we can check: `none` and HMAC are in no row's reach."""
    return [name for name in algorithms.replace(",", " ").split() if name in KEY_TYPES]


# RFC 7518, 3.1; SMART App Launch 2.2 asks for these two.
KEY_TYPES: dict[str, Any] = {"RS384": "RSA", "ES384": "EC"}
