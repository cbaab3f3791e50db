"""What happened: lists to look at. Nothing is decrypted here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from cds.models import Assessment, AuditEntry, ConnectionTest


class ReadOnly(admin.ModelAdmin[Any]):
    """A list to look at: nothing is added, changed or deleted here. `heading` and `intro` say what is listed."""

    heading = ""
    intro = ""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        told = {"intro": self.intro, **({"title": self.heading} if self.heading else {})}
        return super().changelist_view(request, {**told, **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def required(self, request: HttpRequest, object_id: str) -> Any:
        """The row, for those who may see it; 404 whatever else stands in the address."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row


@admin.register(Assessment)
class AssessmentAdmin(ReadOnly):
    list_display = ("created_at", "ehr", "service_id", "status", "model_version", "finished_at", "failure")
    list_filter = ("status", "test", "ehr", "service_id", "created_at")
    fields = (
        *("id", "ehr", "service_id", "service_version", "model_version", "threshold", "status", "failure"),
        *("patient_key", "test", "created_at", "queued_at", "finished_at"),
    )


@admin.register(ConnectionTest)
class ConnectionTestAdmin(ReadOnly):
    list_display = ("tested_at", "ehr", "failed_step", "took")
    list_filter = ("ehr", "failed_step", "tested_at")

    @admin.display(description="Took", ordering="milliseconds")
    def took(self, row: ConnectionTest) -> str:
        return f"{row.milliseconds:.0f} ms"


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    """Who saw or sent what: keyed hashes stand for people."""

    list_display = ("recorded_at", "ehr", "action", "actor", "subject", "sequence")
    list_filter = ("action", "ehr", "recorded_at")
    search_fields = ("actor", "patient_key", "subject")
