"""Authorizations under way and the sessions they became: short-lived, with everything about the patient encrypted."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import msgspec
from django.db import models
from django.utils import timezone
from msgspec import Struct

from cds import scopes
from cds.fields import EncryptedField
from cds.models import Assessment, Ehr
from cds.needs import Need
from smartapp.backend.models import AccessToken, ApiCall, BackendClient, Batch, UsedAssertion

__all__ = ["AccessToken", "ApiCall", "BackendClient", "Batch", "Grant", "Launch", "SmartSession", "UsedAssertion"]

LAUNCH_LIVES = timedelta(minutes=10)
SESSION_LIVES = timedelta(hours=8)  # at most; the EHR's token usually ends it sooner
IDLE = timedelta(minutes=15)  # nobody has looked for so long: the clinician has left the screen
LAUNCHES_KEPT = timedelta(days=1)  # after their end, to tell a used one from one that never was

_LEVELS = ("patient", "user")


class Grant(Struct, frozen=True, kw_only=True):
    """What the EHR granted with the token response; `user` is fhirUser, `actor` a keyed hash of who it is."""

    token: str
    scopes: tuple[str, ...]
    patient_id: str
    actor: str
    user: str = ""
    user_name: str = ""
    encounter_id: str | None = None
    need_patient_banner: bool = True
    refresh_token: str | None = None
    intent: str = ""
    also_open: tuple[str, ...] = ()
    places: tuple[str, ...] = ()  # where the encounter happens, if facilities differ (cds.facilities)

    def __repr__(self) -> str:
        return "Grant(...)"

    def may(self, resource: str, letter: str) -> bool:
        """`letter`: one of `cruds`."""
        return scopes.allow(self.scopes, resource, letter, levels=_LEVELS)

    def opens(self, need: Need) -> bool:
        """By what was granted, not by what was asked."""
        return scopes.opens(self.scopes, need, levels=_LEVELS)


class Launch(models.Model):
    """One authorization under way: bound to one browser, used once, ten minutes at most."""

    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, verbose_name="EHR")
    state_hash = models.CharField(max_length=64, unique=True)
    browser_hash = models.CharField(max_length=64, help_text="Of the secret in this launch's own cookie.")
    launch = EncryptedField(help_text="The EHR's opaque ticket, to offer the same launch anew; empty: standalone.")
    verifier = EncryptedField()
    nonce = EncryptedField()
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"launch at {self.ehr}, {self.created_at:%Y-%m-%d %H:%M:%S}"


class SmartSession(models.Model):
    """One launch's session. Its id stands in the URL, so that two patients in two tabs never mix."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ehr = models.ForeignKey(Ehr, on_delete=models.CASCADE, verbose_name="EHR")
    secret_hash = models.CharField(max_length=64, help_text="Of the secret in this session's own cookie.")
    encrypted_grant = EncryptedField()
    shown = models.ForeignKey(
        Assessment,
        on_delete=models.SET_NULL,
        null=True,
        help_text="The one that the card's link named, or the saved one.",
    )
    created_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, help_text="When the clinician last looked, to the minute.")
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"session {self.id} at {self.ehr}"

    @property
    def grant(self) -> Grant:
        return msgspec.json.decode(self.encrypted_grant, type=Grant)

    @property
    def expired(self) -> bool:
        return self.expires_at <= timezone.now()

    @property
    def idle(self) -> bool:
        return self.seen_at <= timezone.now() - IDLE


def ends(expires_in: int, *, now: datetime, renewable: bool = False) -> datetime:
    """When a session ends: with its token unless that can be renewed, and after a working day at the latest."""
    return now + (SESSION_LIVES if renewable else min(timedelta(seconds=expires_in), SESSION_LIVES))


def forget_the_old() -> None:
    """Delete launches that ended a day ago; called at each launch, so that it needs no schedule."""
    Launch.objects.filter(created_at__lt=timezone.now() - LAUNCH_LIVES - LAUNCHES_KEPT).delete()
