"""What happened: lists to look at. Nothing is decrypted but what clinicians wrote, for reviewers, and that is audited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from cds import audit
from cds.admin import pages
from cds.models import Assessment, AuditEntry, ConnectionTest, Feedback, WriteBack


class ReadOnly(admin.ModelAdmin[Any]):
    """A list to look at: nothing is added, changed or deleted here."""

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


@admin.register(WriteBack)
class WriteBackAdmin(ReadOnly):
    list_display = ("requested_at", "assessment", "target", "status", "tries", "failure", "sent_at")
    list_filter = ("status", "target", "assessment__ehr", "requested_at")
    list_select_related = ("assessment",)
    fields = ("assessment", "target", "status", "tries", "failure", "requested_at", "sent_at")


@admin.register(Feedback)
class FeedbackAdmin(ReadOnly):
    list_display = ("received_at", "ehr", "service_id", "outcome", "reason", "reviewed_at")
    list_filter = (
        *("outcome", "reason", "ehr", "service_id", "received_at"),
        ("reviewed_at", admin.EmptyFieldListFilter),
    )
    fields = (
        *("ehr", "service_id", "assessment", "card_uuid", "outcome", "suggestion", "reason", "actor"),
        *("outcome_at", "received_at", "reviewed_at"),
    )
    actions = ("mark_reviewed",)

    def get_fields(self, request: HttpRequest, obj: Feedback | None = None) -> Any:
        return (*self.fields, "said") if self.has_review_permission(request) else self.fields

    @admin.display(description="Comment")
    def said(self, row: Feedback) -> str:
        return bytes(row.comment).decode(errors="replace") if row.comment is not None else ""

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Who reads what a clinician wrote is audited first: it may be about a patient."""
        row = self.get_object(request, object_id)
        may_read = self.has_review_permission(request) and self.has_view_permission(request, row)
        if row is not None and row.comment is not None and may_read:
            _record_reading(row, actor=pages.actor(request, row.ehr))
        return super().change_view(request, object_id, form_url, extra_context)

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("cds.review_feedback")

    @admin.action(description="Mark as reviewed", permissions=["review"])
    def mark_reviewed(self, request: HttpRequest, queryset: QuerySet[Feedback]) -> None:
        """It no longer waits on the first page."""
        queryset.filter(reviewed_at=None).update(reviewed_at=timezone.now())


def _record_reading(row: Feedback, *, actor: str) -> None:
    about = row.assessment or (row.card.assessment if row.card else None)
    key = about.patient_key if about else ""
    audit.record("read-feedback", actor=actor, ehr=row.ehr, patient_key=key, subject=f"feedback {row.pk}")


@admin.register(ConnectionTest)
class ConnectionTestAdmin(ReadOnly):
    list_display = ("tested_at", "ehr", "failed_step", "milliseconds")
    list_filter = ("ehr", "failed_step", "tested_at")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    """Who saw or sent what: keyed hashes stand for people."""

    list_display = ("recorded_at", "ehr", "action", "actor", "subject", "sequence")
    list_filter = ("action", "ehr", "recorded_at")
    search_fields = ("actor", "patient_key", "subject")
