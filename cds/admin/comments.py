"""The page on which comments are searched. The words are sent in the body: in an address they would be logged."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from cds import registry
from cds.admin import pages
from cds.comments import MOST_FOUND, MOST_READ, Wanted, search
from cds.feedback import read
from cds.hints import HINTS, in_words
from cds.models import Ehr, Feedback


class SearchForm(forms.Form):
    text = forms.CharField(label="Words", required=False, max_length=200, help_text="All of them, in any order.")
    hints = forms.ChoiceField(
        label="The comment",
        required=False,
        choices=[
            ("", "may say anything"),
            ("any", "hints at broken advice"),
            *((key, words) for key, (words, _) in HINTS.items()),
        ],
    )
    days = forms.TypedChoiceField(
        label="Of the last",
        coerce=int,
        choices=[(30, "30 days"), (90, "90 days"), (365, "year"), (0, "years, all of them")],
        initial=90,
    )
    ehr = forms.ModelChoiceField(Ehr.objects.order_by("name"), label="EHR", required=False, empty_label="every EHR")
    service_id = forms.ChoiceField(label="Service", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [(service.id, service.title) for service in registry.all_services()]
        self.fields["service_id"].choices = [("", "every service"), *known]  # type: ignore[attr-defined]

    def wanted(self) -> Wanted:
        given = dict(self.cleaned_data)
        days = given.pop("days")
        return Wanted(**given, since=timezone.now() - timedelta(days=days) if days else None)


def comments_page(model_admin: admin.ModelAdmin[Feedback], request: HttpRequest) -> HttpResponse:
    """Search, and read what was found: each comment shown is on record as read."""
    if not request.user.has_perm("cds.review_feedback"):
        raise PermissionDenied
    form = SearchForm(request.POST or None)
    shown: dict[str, Any] = {"form": form, "most_read": MOST_READ, "most_found": MOST_FOUND}
    if form.is_valid():
        found = search(form.wanted(), actor=f"admin {request.user.pk}")
        lines = [(row, read(row, actor=pages.actor(request, row.ehr)), in_words(row.hints)) for row in found.rows]
        shown |= {"found": found, "lines": lines}
    return pages.rendered(model_admin, request, "feedback/comments", "Search comments", **shown)
