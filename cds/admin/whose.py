"""Whose data, and who is spared what: opt-outs are recorded and withdrawn; snoozes may be ended; suppressions are read."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from cds import audit
from cds.admin import pages
from cds.admin.happened import ReadOnly
from cds.facts import FHIR_ID
from cds.models import OptOut, Snooze, Suppression
from cds.opt_out import opt_out, withdraw


class OptOutForm(forms.ModelForm[OptOut]):
    """The id is entered, hashed and forgotten."""

    patient_id = forms.RegexField(rf"^{FHIR_ID}$", label="Patient's FHIR id", help_text="Never kept.")

    class Meta:
        model = OptOut
        fields = ("ehr",)


@admin.register(OptOut)
class OptOutAdmin(admin.ModelAdmin[OptOut]):
    form = OptOutForm
    list_display = ("recorded_at", "ehr", "patient_key")
    list_filter = ("ehr",)

    def has_change_permission(self, request: HttpRequest, obj: OptOut | None = None) -> bool:
        """Recorded or withdrawn, never edited."""
        return False

    def save_model(self, request: HttpRequest, obj: OptOut, form: Any, change: bool) -> None:
        opt_out(obj.ehr, form.cleaned_data["patient_id"], actor=pages.actor(request, obj.ehr))
        key = obj.ehr.pseudonym(form.cleaned_data["patient_id"])
        obj.pk = OptOut.objects.get(ehr=obj.ehr, patient_key=key).pk

    def delete_model(self, request: HttpRequest, obj: OptOut) -> None:
        withdraw(obj, actor=pages.actor(request, obj.ehr))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[OptOut]) -> None:
        for row in queryset:
            self.delete_model(request, row)


@admin.register(Suppression)
class SuppressionAdmin(ReadOnly):
    list_display = ("suppressed_at", "service", "rule", "reason", "user_key")
    list_filter = ("reason", "rule", "assessment__service_id", "assessment__ehr", "suppressed_at")
    list_select_related = ("assessment",)
    fields = ("assessment", "rule", "reason", "user_key", "suppressed_at")

    @admin.display(ordering="assessment__service_id")
    def service(self, row: Suppression) -> str:
        return row.assessment.service_id


@admin.register(Snooze)
class SnoozeAdmin(ReadOnly):
    """Deleting one ends it; that is audited."""

    list_display = ("until", "ehr", "service_id", "rule", "reason", "user_key")
    list_filter = ("reason", "rule", "service_id", "ehr", "until")
    fields = ("ehr", "service_id", "rule", "reason", "user_key", "patient_key", "until")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("cds.delete_snooze")

    def delete_model(self, request: HttpRequest, obj: Snooze) -> None:
        actor = pages.actor(request, obj.ehr)
        audit.record("end-snooze", actor=actor, ehr=obj.ehr, patient_key=obj.patient_key, subject=obj.rule)
        obj.delete()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Snooze]) -> None:
        for row in queryset:
            self.delete_model(request, row)
