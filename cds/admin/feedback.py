"""What clinicians said: a list, a search of their comments, and a page on which a doubted answer is reviewed.

What they wrote may be about a patient: only reviewers read it, and every reading is audited first.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cds.admin import pages
from cds.admin.comments import comments_page
from cds.admin.happened import ReadOnly
from cds.admin.review import review_page
from cds.feedback import read
from cds.hints import HINTS, in_words
from cds.models import Feedback


class HintFilter(admin.SimpleListFilter):
    title = "words that hint at broken advice"
    parameter_name = "hints"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("any", "any"), *((group, words) for group, (words, _) in HINTS.items())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Feedback]) -> QuerySet[Feedback]:
        group = self.value() or ""
        if group == "any":
            return queryset.exclude(hints="")
        return queryset.filter(hints__contains=group)


@admin.register(Feedback)
class FeedbackAdmin(ReadOnly):
    list_display = ("received_at", "review_link", "ehr", "service_id", "outcome", "reason", "telling", "reviewed_at")
    list_filter = (
        *("outcome", HintFilter, "reason", "ehr", "service_id", "received_at"),
        ("reviewed_at", admin.EmptyFieldListFilter),
    )
    fields = (
        *("ehr", "service_id", "assessment", "card_uuid", "outcome", "suggestion", "reason", "actor"),
        *("outcome_at", "received_at", "reviewed_at", "telling"),
    )
    actions = ("mark_reviewed",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("comments/", view(partial(comments_page, self)), name="cds_feedback_comments"),
            path("<int:pk>/review/", view(partial(review_page, self)), name="cds_feedback_review"),
            *super().get_urls(),
        ]

    def get_fields(self, request: HttpRequest, obj: Feedback | None = None) -> Any:
        return (*self.fields, "comment_in_clear") if self.has_review_permission(request) else self.fields

    @admin.display(description="Comment")
    def comment_in_clear(self, row: Feedback) -> str:
        return row.said

    @admin.display(description="The comment")
    def telling(self, row: Feedback) -> str:
        return "; ".join(in_words(row.hints))

    @admin.display(description="Review")
    def review_link(self, row: Feedback) -> SafeString:
        return format_html('<a href="{}">Review</a>', reverse("admin:cds_feedback_review", args=[row.pk]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Who reads what a clinician wrote is audited first: it may be about a patient."""
        row = self.get_object(request, object_id)
        may_read = self.has_review_permission(request) and self.has_view_permission(request, row)
        if row is not None and may_read:
            read(row, actor=pages.actor(request, row.ehr))
        return super().change_view(request, object_id, form_url, extra_context)

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("cds.review_feedback")

    @admin.action(description="Mark as reviewed", permissions=["review"])
    def mark_reviewed(self, request: HttpRequest, queryset: QuerySet[Feedback]) -> None:
        """It no longer waits on the first page."""
        queryset.filter(reviewed_at=None).update(reviewed_at=timezone.now())
