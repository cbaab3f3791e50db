"""The outbox: what was written, what waits and what failed; sent again for a reason. What EHRs refused can be forgotten."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse

from cds.admin import pages
from cds.admin.acting import why_field
from cds.admin.happened import ReadOnly
from cds.errors import BadInput
from cds.models import KnownLimit, WriteBack
from cds.writeback import ask, outbox
from cds.writeback.alone import can
from cds.writeback.call_off import SAVING
from cds.writeback.outbox import UNSENT
from cds.writeback.retract import retract_for_safety


class WhyForm(forms.Form):
    why = why_field()


@admin.register(WriteBack)
class WriteBackAdmin(ReadOnly):
    list_display = ("requested_at", "ehr", "service", "aim", "target", "status", "tries", "failure", "sent_at")
    list_filter = ("status", "aim", "target", "form", "assessment__ehr", "requested_at")
    list_select_related = ("assessment__ehr",)
    fields = (
        *("assessment", "aim", "successor", "target", "status", "failure", "form", "lacking", "resources"),
        *("tries", "delays", "due_at", "requested_at", "sent_at", "reason"),
    )
    actions = ("again", "call_off")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("again/", view(partial(again_page, self)), name="cds_writeback_again"),
            path("call-off/", view(partial(call_off_page, self)), name="cds_writeback_call_off"),
            path("<int:row_id>/retract/", view(partial(retract_page, self)), name="cds_writeback_retract"),
            *super().get_urls(),
        ]

    @admin.display(ordering="assessment__ehr__name")
    def ehr(self, row: WriteBack) -> str:
        return row.assessment.ehr.name

    @admin.display(ordering="assessment__service_id")
    def service(self, row: WriteBack) -> str:
        return row.assessment.service_id

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("cds.resend_writeback")

    @admin.action(description="Send again", permissions=["resend"])
    def again(self, request: HttpRequest, queryset: QuerySet[WriteBack]) -> HttpResponse:
        """To the page that asks why."""
        return _asked_why("again", queryset)

    def has_call_off_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("cds.call_off_writeback")

    @admin.action(description="Call off", permissions=["call_off"])
    def call_off(self, request: HttpRequest, queryset: QuerySet[WriteBack]) -> HttpResponse:
        """To the page that asks why."""
        return _asked_why("call_off", queryset)


def _asked_why(page: str, queryset: QuerySet[WriteBack]) -> HttpResponse:
    picked = ",".join(str(pk) for pk in queryset.values_list("pk", flat=True))
    return redirect(f"{reverse(f'admin:cds_writeback_{page}')}?rows={picked}")


def _picked(request: HttpRequest) -> QuerySet[WriteBack]:
    picked = [int(pk) for pk in request.GET.get("rows", "").split(",") if pk.isdecimal()]
    return WriteBack.objects.filter(pk__in=picked).select_related("assessment__ehr")


def again_page(model_admin: WriteBackAdmin, request: HttpRequest) -> HttpResponse:
    """What will happen, and why it should."""
    if not model_admin.has_resend_permission(request):
        raise PermissionDenied
    rows = outbox.resendable(_picked(request))
    form = WhyForm(request.POST or None)
    if form.is_valid():
        try:
            count = ask.send_again(
                rows.values_list("pk", flat=True), by=pages.whoever(request), why=form.cleaned_data["why"]
            )
        except BadInput as error:
            form.add_error("why", str(error))
        else:
            messages.success(
                request, f"{count} queued: Bedside tries within half a minute; this list shows how it went."
            )
            return redirect("admin:cds_writeback_changelist")
    shown = {"form": form, "rows": rows}
    return pages.rendered(model_admin, request, "writeback/again", "Send again", **shown)


def call_off_page(model_admin: WriteBackAdmin, request: HttpRequest) -> HttpResponse:
    """What will not be written, what is taken back, and why."""
    if not model_admin.has_call_off_permission(request):
        raise PermissionDenied
    rows = _picked(request).filter(status__in=UNSENT, aim__in=SAVING)
    form = WhyForm(request.POST or None)
    if form.is_valid():
        try:
            count = ask.call_off(
                list(rows.values_list("pk", flat=True)), by=pages.whoever(request), why=form.cleaned_data["why"]
            )
        except BadInput as error:
            form.add_error("why", str(error))
        else:
            messages.success(request, f"{count} called off. This list shows how what was half written is taken back.")
            return redirect("admin:cds_writeback_changelist")
    shown = {"form": form, "rows": rows}
    return pages.rendered(model_admin, request, "writeback/call_off", "Call off", **shown)


class RetractForm(forms.Form):
    why = forms.CharField(max_length=200, label="Why", widget=forms.Textarea(attrs={"rows": 2, "cols": 60}))
    why.help_text = "The chart will say it to whoever reads the result. No patient's name."


def retract_page(model_admin: WriteBackAdmin, request: HttpRequest, row_id: int) -> HttpResponse:
    """What a retraction does, and why it should be."""
    if not request.user.has_perm("cds.retract_writeback"):
        raise PermissionDenied
    row = get_object_or_404(WriteBack.objects.select_related("assessment__ehr"), pk=row_id, aim=WriteBack.Aim.WRITE)
    form = RetractForm(request.POST or None)
    if form.is_valid():
        try:
            retract_for_safety(row.assessment, by=pages.whoever(request), why=form.cleaned_data["why"])
        except BadInput as error:
            form.add_error("why", str(error))
        else:
            messages.success(request, "Retracted: it counts no more. This list shows how its chart is marked.")
            return redirect(f"{reverse('admin:cds_writeback_changelist')}?assessment={row.assessment_id}")
    rows = row.assessment.write_backs.select_related("assessment__ehr")
    shown = {"form": form, "rows": rows, "about": row.assessment, "alone": can(row.assessment.ehr)}
    return pages.rendered(model_admin, request, "writeback/retract", "Retract a result", **shown)


@admin.register(KnownLimit)
class KnownLimitAdmin(ReadOnly):
    """Deleting one makes Bedside ask again; that is audited."""

    list_display = ("learnt_at", "ehr", "resource", "interaction", "http_status", "issue", "caller")
    list_filter = ("ehr", "resource", "interaction", "http_status")
    fields = ("ehr", "resource", "interaction", "http_status", "issue", "caller", "learnt_at")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("cds.delete_knownlimit")

    def delete_model(self, request: HttpRequest, obj: KnownLimit) -> None:
        ask.forget(obj, by=pages.whoever(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[KnownLimit]) -> None:
        for row in queryset:
            self.delete_model(request, row)
