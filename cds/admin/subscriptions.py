"""What EHRs tell us of by themselves: asked for on one page, which shows its address and secret once; listed; ended."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from cds.admin import pages
from cds.admin.happened import ReadOnly
from cds.errors import FhirError
from cds.models import Ehr, Rescoring, Subscription
from cds.notified import listening, subscribe
from cds.notified.silence import silent
from cds.notified.token import HandOver


class ListenForm(forms.ModelForm[Subscription]):
    """Which EHR, in which of the three ways."""

    class Meta:
        model = Subscription
        fields = ("ehr", "style", "topic", "heartbeat_seconds")

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        self.fields["ehr"].queryset = Ehr.objects.filter(active=True)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        ehr = given.get("ehr")
        if given.get("style") == Subscription.Style.SEARCH:
            given |= {"topic": "", "heartbeat_seconds": None}
        elif not given.get("topic"):
            self.add_error("topic", "A subscription to a topic needs the topic's address.")
        if ehr and not ehr.system_client_id:
            self.add_error(
                "ehr", "Bedside has no access of its own there: enter a client id for work without a user first."
            )
        if ehr and not listening.codes(ehr):
            self.add_error("ehr", "No service is on there that a new result would be a reason to ask again.")
        return given


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnly):
    list_display = ("ehr", "style", "state", "heard_at", "in_time", "last_event", "missing", "ends_at", "reason")
    list_filter = ("state", "style", "ehr")
    list_select_related = ("ehr",)
    fields = (
        *("ehr", "style", "topic", "state", "reason", "remote_id", "heartbeat_seconds"),
        *("created_at", "ends_at", "heard_at", "last_event", "gap_at", "searched_until"),
    )
    actions = ("end",)

    @admin.display(description="Heard of in time", boolean=True)
    def in_time(self, row: Subscription) -> bool:
        return not silent(row)

    @admin.display(description="Missing since", ordering="gap_at")
    def missing(self, row: Subscription) -> Any:
        return row.gap_at

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("cds.listen")

    def has_listen_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("cds.listen")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Kept with a press of the button; the address and the secret are shown then, and never again."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ListenForm(request.POST or None)
        shown: dict[str, Any] = {"form": form}
        if form.is_valid():
            row = form.save(commit=False)
            values = subscribe.listen(row, actor=pages.actor(request, row.ehr))
            shown = {
                "row": row,
                "values": values,
                "criteria": listening.criteria(row.ehr),
                "why_not": _asked(row, values),
            }
        return pages.rendered(self, request, "subscription/listen", "Listen for new results", **shown)

    @admin.action(description="Stop listening", permissions=["listen"])
    def end(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        for row in queryset.select_related("ehr"):
            by_hand = subscribe.end(row, actor=pages.actor(request, row.ehr))
            messages.success(request, f"{row}: Bedside listens no more. {by_hand}")


def _asked(row: Subscription, values: HandOver) -> str:
    """Why the EHR could not be asked by us, so that people have to; "" where it was."""
    try:
        subscribe.ask(row, values)
    except FhirError as error:
        return str(error)
    return ""


@admin.register(Rescoring)
class RescoringAdmin(ReadOnly):
    """Patients about whom something new was told; keyed hashes stand for them."""

    list_display = ("told_at", "ehr", "due_at", "tries", "done_at", "failure")
    list_filter = ("ehr", ("due_at", admin.EmptyFieldListFilter))
    list_select_related = ("ehr",)
    fields = ("ehr", "patient_key", "told_at", "due_at", "tries", "done_at", "failure")
