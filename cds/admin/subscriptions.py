"""What EHRs tell us of by themselves: asked for on one page, which shows its address and secret once; listed; ended."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince

from cds.admin import pages
from cds.admin.happened import ReadOnly
from cds.errors import FhirError
from cds.models import Ehr, Rescoring, Subscription
from cds.notified import listening, subscribe
from cds.notified.silence import silent
from cds.notified.token import HandOver

_OFFERED = ("", "As the EHR offers it: Bedside looks there")


class ListenForm(forms.ModelForm[Subscription]):
    """At which EHR; and in which of the three ways, where it does not say so itself."""

    style = forms.ChoiceField(required=False, label="How", choices=[_OFFERED, *Subscription.Style.choices])

    class Meta:
        model = Subscription
        fields = ("ehr", "style", "topic", "heartbeat_seconds")
        labels = {"ehr": "EHR", "heartbeat_seconds": "Sign of life every … seconds"}
        help_texts = {
            "topic": "Only where you have chosen a topic above: its canonical URL, from the EHR's people.",
            "heartbeat_seconds": "With topics: so often the EHR says that it is there, and silence is noticed.",
        }

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, initial={"heartbeat_seconds": 3600})
        self.fields["ehr"].queryset = Ehr.objects.filter(active=True)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        ehr, style = given.get("ehr"), given.get("style")
        if style == Subscription.Style.SEARCH:
            given |= {"topic": "", "heartbeat_seconds": None}
        elif style and not given.get("topic"):
            self.add_error("topic", "A subscription to a topic needs the topic's address.")
        if ehr and not ehr.system_client_id:
            self.add_error(
                "ehr", "Bedside has no access of its own there: enter a client id for work without a user first."
            )
        if ehr and not listening.codes(ehr):
            self.add_error("ehr", "No service is on there that a new result would be a reason to ask again.")
        return given

    def row(self) -> Subscription | None:
        """Not saved yet; None, and an error of the form, where the EHR does not say in which way."""
        given = self.cleaned_data
        if given["style"]:
            return self.save(commit=False)
        try:
            found = subscribe.offered(given["ehr"])
        except FhirError as error:
            self.add_error("style", f"The EHR does not say how ({error}). Choose what its people tell you.")
            return None
        found.heartbeat_seconds = given["heartbeat_seconds"] if found.topic else None
        return found


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnly):
    heading = "What EHRs tell Bedside by themselves"
    intro = (
        "A new result at one of these EHRs is a reason to ask again about its patient. "
        "What was missed while an EHR is silent or in error, Bedside searches for by itself."
    )
    list_display = ("ehr", "stands", "last_heard")
    list_filter = ("state", "style", "ehr")
    list_select_related = ("ehr",)
    fields = (
        *("ehr", "style", "topic", "state", "reason", "remote_id", "heartbeat_seconds"),
        *("created_at", "ends_at", "heard_at", "last_event", "gap_at", "searched_until"),
    )
    actions = ("end",)

    @admin.display(description="How it stands", ordering="state")
    def stands(self, row: Subscription) -> str:
        return format_html('<span class="{}"><span class="word">{}</span></span>', *_stands(row))

    @admin.display(description="Last heard", ordering="heard_at", empty_value="never")
    def last_heard(self, row: Subscription) -> str | None:
        return f"{timesince(row.heard_at, depth=1)} ago" if row.heard_at else None

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
        if form.is_valid() and (row := form.row()):
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


def _stands(row: Subscription) -> tuple[str, str]:
    """How well (a class of the style sheet), and what there is to say and to do."""
    mend = "Bedside asks for it again every few minutes." if row.ends_at else "Ask the EHR's people to set it up again."
    match row.state:
        case Subscription.State.ERROR:
            return "bad", f"In error: {row.reason.rstrip('.')}. {mend}"
        case Subscription.State.OFF:
            return "bad", "Off: the EHR tells nothing any more. Stop listening here, and listen anew."
        case _ if silent(row):
            return "bad", "Silent: its sign of life does not come. Ask the EHR's people whether it still sends."
        case Subscription.State.REQUESTED:
            return "untried", "Requested: nothing was heard yet."
    if row.reason:
        return "bad", f"Active, but: {row.reason}"
    if row.gap_at:
        return "good", "Active. An event did not come; Bedside asks for it, else searches."
    return "good", "Active"


@admin.register(Rescoring)
class RescoringAdmin(ReadOnly):
    """Patients about whom something new was told; keyed hashes stand for them."""

    heading = "Patients to ask about again"
    intro = (
        "Of each only a keyed hash is shown. Who was asked about stays here for an hour; "
        "who could not be asked about stays, and is asked about with the next new result."
    )
    list_display = ("told_at", "stands", "ehr")
    list_filter = ("ehr", ("due_at", admin.EmptyFieldListFilter))
    list_select_related = ("ehr",)
    fields = ("ehr", "patient_key", "told_at", "due_at", "tries", "done_at", "failure")

    @admin.display(description="How it stands", ordering="due_at")
    def stands(self, row: Rescoring) -> str:
        next_try = f"{timezone.localtime(row.due_at):%H:%M}" if row.due_at else ""
        if row.failure:
            return f"{f'Tried again at {next_try}' if next_try else 'Given up'}: {row.failure}"
        return f"To be asked about at {next_try}" if next_try else "Asked about again"
