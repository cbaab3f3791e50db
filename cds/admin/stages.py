"""The stages of a service at an EHR: one page to see the scorecard, ask for a step up, decide on it, or step down."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cds import registry, switch
from cds.admin import alerts, experiments, pages, settings
from cds.admin.acting import Acts, DecisionForm, why_field
from cds.admin.happened import ReadOnly
from cds.errors import UnknownService
from cds.models import EnabledService, SettingsChange, StageChange
from cds.scorecard import Scorecard, scorecard

Stage = EnabledService.Stage
MEANS = {
    Stage.OFF: "Off: not offered. No card, no page, no scoring; hooks are answered with no cards.",
    Stage.SILENT: "Silent: every chart it is asked about is scored and the answer stored; nobody is shown anything.",
    Stage.CANARY: "Canary: a share of the users, always the same, see its cards and page; for the others it is silent.",
    Stage.LIVE: "Live: every user sees its cards and page.",
}


class StepForm(forms.Form):
    """Where to, and why."""

    to = forms.ChoiceField(label="To", widget=forms.RadioSelect)
    percent = forms.IntegerField(
        label="Share of users, per cent", min_value=1, max_value=100, required=False, help_text="For a canary only."
    )
    why = why_field()

    def __init__(self, data: Any, *, steps: list[Stage], percent: int, prefix: str) -> None:
        super().__init__(data, prefix=prefix, initial={"to": steps[0] if len(steps) == 1 else None, "percent": percent})
        self.fields["to"].choices = [(step, MEANS[step]) for step in steps]  # type: ignore[attr-defined]
        if Stage.CANARY not in steps:
            del self.fields["percent"]

    def step(self) -> dict[str, Any]:
        given = self.cleaned_data
        return {"to": given["to"], "percent": given.get("percent") or 0, "why": given["why"]}


@admin.register(EnabledService)
class EnabledServiceAdmin(admin.ModelAdmin[EnabledService]):
    """One service at one EHR, for those who decide on that and on nothing else of the EHR."""

    list_display = ("service_id", "ehr", "stage", "threshold", "write_back", "off_reason")
    list_filter = ("stage", "ehr", "service_id")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/stage/", view(partial(stage_page, self)), name="cds_enabledservice_stage"),
            path("<int:pk>/settings/", view(partial(settings.page, self)), name="cds_enabledservice_settings"),
            path(
                "<int:pk>/experiment/", view(partial(experiments.ask_page, self)), name="cds_enabledservice_experiment"
            ),
            path("<int:pk>/alerts/", view(partial(alerts.simulator, self)), name="cds_enabledservice_alerts"),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A service is enabled on the EHR's page."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: EnabledService | None = None) -> bool:
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Each change has a reason, and some take two people: so there is no form to save."""
        here = self.get_object(request, unquote(object_id))
        if here is None:
            raise Http404
        return redirect("admin:cds_enabledservice_settings", here.pk)


@admin.register(StageChange)
class StageChangeAdmin(ReadOnly):
    """All steps at all EHRs; a row leads to its service's page."""

    list_display = ("asked_at", "ehr", "service_id", "step", "verdict", "asked_by", "decided_by")
    list_filter = ("verdict", "ehr", "service_id", "after", "asked_at")
    list_select_related = ("ehr",)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.required(request, object_id)
        here = get_object_or_404(EnabledService, ehr=row.ehr_id, service_id=row.service_id)
        return redirect("admin:cds_enabledservice_stage", here.pk)


@admin.register(SettingsChange)
class SettingsChangeAdmin(ReadOnly):
    """All changes at all EHRs; a row leads to its service's page."""

    list_display = ("asked_at", "ehr", "service_id", "step", "verdict", "asked_by", "decided_by")
    list_filter = ("verdict", "ehr", "service_id", "asked_at")
    list_select_related = ("ehr",)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.required(request, object_id)
        here = get_object_or_404(EnabledService, ehr=row.ehr_id, service_id=row.service_id)
        return redirect("admin:cds_enabledservice_settings", here.pk)


def link(row: EnabledService) -> SafeString:
    stage, tuning = (reverse(f"admin:cds_enabledservice_{name}", args=[row.pk]) for name in ("stage", "settings"))
    return format_html(
        '{}. <a href="{}">Change the stage</a>, <a href="{}">change the settings</a>; both with their history.',
        *(row.get_stage_display(), stage, tuning),
    )


def stage_page(model_admin: EnabledServiceAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Where it stands, what it has done so far, who asked for what; and the next step."""
    here = get_object_or_404(EnabledService.objects.select_related("ehr"), pk=pk)
    if not model_admin.has_view_permission(request, here):
        raise PermissionDenied
    acts = StageActs(request, here)
    if request.method == "POST" and acts.do():
        return acts.back()
    known = {service.id: service.title for service in registry.all_services()}
    title = f"{known.get(here.service_id, here.service_id)} at {here.ehr}"
    past = _history(here).exclude(verdict=StageChange.Verdict.WAITING)[:100]
    shown = {"here": here, "ehr": here.ehr, "acts": acts, "history": past}
    return pages.rendered(model_admin, request, "enabledservice/stage", title, **shown)


class StageActs(Acts):
    """What this person may do with this service's stage."""

    route = "admin:cds_enabledservice_stage"

    def __init__(self, request: HttpRequest, here: EnabledService) -> None:
        super().__init__(request, here, by=pages.approver(request, here.ehr))
        self.here = here
        self.waiting = _history(here).filter(verdict=StageChange.Verdict.WAITING).first()
        self.scorecard = _scorecard(here)
        shows = self.waiting is not None and self.waiting.after in {Stage.CANARY, Stage.LIVE}
        self.short = shows and (self.scorecard is None or bool(self.scorecard.lacking))
        self.forms = self.decision_forms(self.waiting, short=self.short)
        if self.waiting is None and request.user.has_perm("cds.ask_stage"):
            self._offer("ask", switch.next_steps(here))
        if request.user.has_perm("cds.switch_off"):
            self._offer("lower", switch.lower_steps(here))

    def _offer(self, name: str, steps: list[Stage]) -> None:
        if steps:
            percent = self.here.canary_percent
            self.forms[name] = StepForm(self.data(name), steps=steps, percent=percent, prefix=name)

    def ask(self, form: StepForm) -> str:
        made = switch.ask(self.here, by=self.by, **form.step())
        if made.alone:
            return f"{made.get_after_display()}. One person is enough at a test system."
        return "Asked. Nothing changes until another person, with the role “clinical approver”, decides."

    def lower(self, form: StepForm) -> str:
        switch.lower(self.here, by=self.by, **form.step())
        return "Done: the lower stage counts from the next call on."

    def approve(self, form: DecisionForm) -> str:
        switch.approve(self.asked, by=self.by, **form.cleaned_data)
        return "Approved: the new stage counts from the next call on."

    def refuse(self, form: DecisionForm) -> str:
        switch.refuse(self.asked, by=self.by, why=form.cleaned_data["why"])
        return "Refused: the stage stays as it is."

    def withdraw(self, form: forms.Form) -> str:
        switch.withdraw(self.asked, by=self.by)
        return "Withdrawn: the stage stays as it is."

    @property
    def wish(self) -> str:
        return self.asked.step

    @property
    def would_mean(self) -> str:
        return MEANS[Stage(self.asked.after)]

    @property
    def shortage(self) -> str:
        """Why the scorecard does not carry it."""
        lacking = self.scorecard.lacking if self.scorecard else ["the service is not installed"]
        return f"The scorecard is not complete: {'; '.join(lacking)}. Look at it below before you decide."

    @property
    def asked(self) -> StageChange:
        if self.waiting is None:
            raise PermissionDenied
        return self.waiting


def _history(here: EnabledService) -> QuerySet[StageChange]:
    return StageChange.objects.filter(ehr=here.ehr, service_id=here.service_id).order_by("-pk")


def _scorecard(here: EnabledService) -> Scorecard | None:
    try:
        return scorecard(here)
    except UnknownService:
        return None
