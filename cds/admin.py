"""The admin: EHRs and their services are edited, what happened is only read; no decrypted content is ever shown."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from cds import audit, registry
from cds.models import Assessment, AuditEntry, Ehr, EnabledService, Feedback, WriteBack


class EnabledServiceForm(forms.ModelForm[EnabledService]):
    """The service is picked, not typed; the threshold is a fraction."""

    class Meta:
        model = EnabledService
        fields = ("service_id", "stage", "threshold", "write_back")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = {service.id: service.title for service in registry.all_services()}
        if self.instance.service_id:
            known.setdefault(self.instance.service_id, f"{self.instance.service_id} (not installed)")
        self.fields["service_id"] = forms.ChoiceField(label="Service", choices=known.items)
        self.fields["threshold"].widget.attrs |= {"min": 0, "max": 1, "step": "any"}

    def clean_threshold(self) -> float | None:
        threshold: float | None = self.cleaned_data["threshold"]
        if threshold is not None and not 0 <= threshold <= 1:
            raise forms.ValidationError("A fraction from 0 to 1: 0.1 stands for 10 %.")
        return threshold


class EnabledServices(admin.TabularInline[EnabledService, Ehr]):
    model = EnabledService
    form = EnabledServiceForm
    extra = 0


@admin.register(Ehr)
class EhrAdmin(admin.ModelAdmin[Ehr]):
    """One page connects a hospital."""

    list_display = ("name", "fhir_base", "active")
    list_filter = ("active",)
    inlines = (EnabledServices,)
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    fieldsets = (
        (None, {"fields": ("name", "active", "fhir_base", "private_network", "time_zone", "mrn_system")}),
        ("SMART launch", {"fields": ("client_id", "frame_ancestors")}),
        ("CDS Hooks", {"fields": ("hook_issuer", "hook_jwks_url", "hook_algorithms")}),
    )

    def log_addition(self, request: HttpRequest, obj: Ehr, message: Any) -> Any:
        self._audit(request, obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Ehr, message: Any) -> Any:
        self._audit(request, obj, message)
        return super().log_change(request, obj, message)

    def _audit(self, request: HttpRequest, ehr: Ehr, message: Any) -> None:
        """Which fields were changed, by whom; the values are in the row."""
        actor = ehr.pseudonym(f"admin|{request.user.pk}")
        audit.record("configure", actor=actor, ehr=ehr, subject=f"Ehr {ehr.pk}", changes=json.dumps(message)[:500])

    def has_delete_permission(self, request: HttpRequest, obj: Ehr | None = None) -> bool:
        """An EHR is switched off, not deleted: what was decided for it must stay explainable."""
        return False


class ReadOnly(admin.ModelAdmin[Any]):
    """A list to look at: nothing is added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Assessment)
class AssessmentAdmin(ReadOnly):
    list_display = ("created_at", "ehr", "service_id", "status", "model_version", "finished_at", "failure")
    list_filter = ("status", "ehr", "service_id", "created_at")
    fields = (
        *("id", "ehr", "service_id", "service_version", "model_version", "threshold", "status", "failure"),
        *("patient_key", "created_at", "queued_at", "finished_at"),
    )


@admin.register(WriteBack)
class WriteBackAdmin(ReadOnly):
    list_display = ("requested_at", "assessment", "target", "status", "tries", "failure", "sent_at")
    list_filter = ("status", "target", "assessment__ehr", "requested_at")
    list_select_related = ("assessment",)
    fields = ("assessment", "target", "status", "tries", "failure", "requested_at", "sent_at")


@admin.register(Feedback)
class FeedbackAdmin(ReadOnly):
    list_display = ("received_at", "ehr", "service_id", "outcome", "reason")
    list_filter = ("outcome", "reason", "ehr", "service_id", "received_at")
    fields = ("ehr", "service_id", "card_uuid", "outcome", "suggestion", "reason", "outcome_at", "received_at")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    """Who saw or sent what: keyed hashes stand for people."""

    list_display = ("recorded_at", "ehr", "action", "actor", "subject", "sequence")
    list_filter = ("action", "ehr", "recorded_at")
    search_fields = ("actor", "patient_key", "subject")
