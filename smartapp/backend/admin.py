"""Outside systems that may ask us: registered, limited and switched off on one page, which also shows what they asked."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone

from cds import audit
from cds.admin import pages
from cds.admin.happened import ReadOnly
from smartapp.backend.jwks import usable_keys
from smartapp.backend.models import KEY_TYPES, ApiCall, BackendClient
from smartapp.backend.scopes import WORDS
from smartapp.backend.server import token_url

LATEST_CALLS = 20
LATEST_BATCHES = 10
DAY = timedelta(days=1)
_EXPLAINED = (
    "Another system of the hospital, or a partner's, that asks by itself: no person is logged in. It proves who it is "
    "with its own keys, and gets a token for five minutes that opens what is ticked below and nothing else."
)


class Ticked(forms.MultipleChoiceField):
    """Kept as words, separated by a space."""

    widget = forms.CheckboxSelectMultiple

    def prepare_value(self, value: Any) -> Any:
        return value.split() if isinstance(value, str) else value

    def clean(self, value: Any) -> str:
        return " ".join(super().clean(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class BackendClientForm(forms.ModelForm[BackendClient]):
    scopes = Ticked(choices=[(scope, f"{words}: {scope}") for scope, words in WORDS.items()], label="May")
    algorithms = Ticked(choices=[(name, name) for name in KEY_TYPES], label="Signs with")

    class Meta:
        model = BackendClient
        fields = ("jwks",)  # the admin adds those of its fieldsets
        widgets = {"jwks": forms.Textarea(attrs={"rows": 6, "cols": 60, "spellcheck": "false"})}

    def clean_jwks(self) -> str:
        """Public keys only, and at least one that we can use."""
        given = str(self.cleaned_data["jwks"]).strip()
        try:
            if given and not usable_keys(given.encode()):
                raise ValueError
        except ValueError as error:
            told = "No set of public keys (JWKS) with an RSA key of 2048 bits or more, or an EC key on P-384."
            raise forms.ValidationError(told) from error
        return given


@admin.register(BackendClient)
class BackendClientAdmin(admin.ModelAdmin[BackendClient]):
    form = BackendClientForm
    list_display = ("name", "ehr", "active", "last_call", "calls_today", "refused_today")
    list_filter = ("active", "ehr")
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    readonly_fields = ("hand_over", "latest_calls", "latest_batches")
    fieldsets = (
        (None, {"fields": ("name", "ehr", "client_id", "active"), "description": _EXPLAINED}),
        ("Its keys", {"fields": ("jwks_url", "jwks", "algorithms")}),
        ("What it may ask", {"fields": ("scopes",)}),
        ("How much", {"fields": ("calls_per_minute", "batches_per_day", "patients_per_batch")}),
        ("Tell its people", {"fields": ("hand_over",)}),
        ("What it asked", {"fields": ("latest_batches", "latest_calls")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[BackendClient]:
        today = Q(calls__received_at__gt=timezone.now() - DAY)
        refused = today & Q(calls__status__gte=400)
        found = super().get_queryset(request).select_related("ehr")
        return found.annotate(
            last=Max("calls__received_at"), today=Count("calls", filter=today), refused=Count("calls", filter=refused)
        )

    @admin.display(description="Last call", ordering="last", empty_value="never")
    def last_call(self, row: Any) -> Any:
        return row.last

    @admin.display(description="Calls in 24 h", ordering="today")
    def calls_today(self, row: Any) -> int:
        return int(row.today)

    @admin.display(description="Refused in 24 h", ordering="refused")
    def refused_today(self, row: Any) -> int:
        return int(row.refused)

    @admin.display(description="Addresses")
    def hand_over(self, row: BackendClient) -> str:
        return render_to_string("admin/smartapp/hand_over.html", {"client": row, "token_url": token_url()})

    @admin.display(description="Latest calls")
    def latest_calls(self, row: BackendClient) -> str:
        calls = row.calls.order_by("-received_at")[:LATEST_CALLS] if row.pk else ()
        return render_to_string("admin/smartapp/calls.html", {"calls": calls})

    @admin.display(description="Latest batches")
    def latest_batches(self, row: BackendClient) -> str:
        batches = row.batches.select_related("run").order_by("-created_at")[:LATEST_BATCHES] if row.pk else ()
        return render_to_string("admin/smartapp/batches.html", {"batches": batches})

    def get_readonly_fields(self, request: HttpRequest, obj: BackendClient | None = None) -> tuple[str, ...]:
        """Whose patients it may ask about is settled once: its jobs and the trail belong to that EHR."""
        return self.readonly_fields if obj is None else (*self.readonly_fields, "ehr", "client_id")

    def has_delete_permission(self, request: HttpRequest, obj: BackendClient | None = None) -> bool:
        """It is switched off, not deleted: what it asked must stay explainable."""
        return False

    def log_addition(self, request: HttpRequest, obj: BackendClient, message: Any) -> Any:
        _audit(request, obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: BackendClient, message: Any) -> Any:
        _audit(request, obj, message)
        return super().log_change(request, obj, message)


@admin.register(ApiCall)
class ApiCallAdmin(ReadOnly):
    """Metadata and timings, nothing of a patient."""

    list_display = ("received_at", "client", "operation", "status", "took")
    list_filter = ("status", "operation", "client", "received_at")
    list_select_related = ("client",)

    @admin.display(description="Took", ordering="milliseconds")
    def took(self, row: ApiCall) -> str:
        return f"{row.milliseconds:.0f} ms"


def _audit(request: HttpRequest, client: BackendClient, message: Any) -> None:
    """Which fields were changed, by whom; the values are in the row."""
    actor = pages.actor(request, client.ehr)
    changes = json.dumps(message)[:500]
    audit.record("configure", actor=actor, ehr=client.ehr, subject=client.actor, changes=changes)
