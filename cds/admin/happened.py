"""What happened: lists to look at; no decrypted content is ever shown."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from cds.models import Assessment, AuditEntry, ConnectionTest, Feedback, WriteBack


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
        *("ehr", "service_id", "card_uuid", "outcome", "suggestion", "reason", "outcome_at", "received_at"),
        "reviewed_at",
    )
    actions = ("mark_reviewed",)

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("cds.review_feedback")

    @admin.action(description="Mark as reviewed", permissions=["review"])
    def mark_reviewed(self, request: HttpRequest, queryset: QuerySet[Feedback]) -> None:
        """It no longer waits on the first page."""
        queryset.filter(reviewed_at=None).update(reviewed_at=timezone.now())


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
