"""The settings of a service at an EHR: one page to change them, to ask for another threshold, to decide on it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from cds import adjust, registry
from cds.admin import pages
from cds.admin.acting import Acts, DecisionForm, why_field
from cds.models import AtFacility, EnabledService, SettingsChange
from cds.simulate import Alerts


class SettingsForm(forms.Form):
    """As they are now, of the whole EHR or of one facility, to be changed; and why."""

    def __init__(self, data: Any, *, row: adjust.Row) -> None:
        self.names = adjust.AT_FACILITY if isinstance(row, AtFacility) else adjust.SETTINGS
        super().__init__(data, prefix="adjust", initial={name: getattr(row, name) for name in self.names})
        fields = forms.fields_for_model(type(row), self.names)
        fields["threshold"].widget.attrs |= {"min": 0, "max": 1, "step": "any"}
        self.fields |= fields | {"why": why_field()}

    def settings(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.names}


class FacilityForm(forms.Form):
    """One that may differ."""

    def __init__(self, data: Any) -> None:
        super().__init__(data, prefix="add")
        self.fields |= forms.fields_for_model(AtFacility, ("name", "reference"))


def page(model_admin: admin.ModelAdmin[EnabledService], request: HttpRequest, pk: int) -> HttpResponse:
    """What is in force, who asked for what, and another setting."""
    here = get_object_or_404(EnabledService.objects.select_related("ehr"), pk=pk)
    if not model_admin.has_view_permission(request, here):
        raise PermissionDenied
    there = here.facilities.filter(reference=request.GET.get("facility", "")).first()
    acts = SettingsActs(request, here, there)
    if request.method == "POST" and acts.do():
        return acts.back()
    titles = {service.id: service.title for service in registry.all_services()}
    title = f"Settings of {titles.get(here.service_id, here.service_id)} at {here.ehr}"
    past = adjust.history(here).exclude(verdict=SettingsChange.Verdict.WAITING)[:100]
    shown = {"here": here, "ehr": here.ehr, "acts": acts, "history": past, "two": adjust.takes_two(here)}
    shown |= {"there": there, "facilities": here.facilities.order_by("name")}
    return pages.rendered(model_admin, request, "enabledservice/settings", title, **shown)


class SettingsActs(Acts):
    """What this person may do with this service's settings."""

    route = "admin:cds_enabledservice_settings"
    short = False  # no scorecard is asked for: there is none of a threshold that is not in force

    def __init__(self, request: HttpRequest, here: EnabledService, there: AtFacility | None) -> None:
        super().__init__(request, here, by=pages.approver(request, here.ehr))
        self.here, self.facility = here, there.reference if there else ""
        self.waiting = adjust.history(here).filter(verdict=SettingsChange.Verdict.WAITING).first()
        self.forms = self.decision_forms(self.waiting, short=False)
        if request.user.has_perm("cds.change_enabledservice"):
            self.forms["adjust"] = SettingsForm(self.data("adjust"), row=there or here)
            self.forms["add"] = FacilityForm(self.data("add"))
        if there and not there.differs and "adjust" in self.forms:
            self.forms["remove"] = forms.Form(self.data("remove"))

    def adjust(self, form: SettingsForm) -> str:
        why, to = form.cleaned_data["why"], form.settings()
        made = adjust.adjust(self.here, to=to, by=self.by, why=why, facility=self.facility)
        return " ".join(_told(change) for change in made)

    def add(self, form: FacilityForm) -> str:
        added = adjust.add(self.here, **form.cleaned_data, by=self.by)
        return f"{added} is listed, and runs as the whole EHR until it is given settings of its own."

    def remove(self, form: forms.Form) -> str:
        adjust.remove(self.here, facility=self.facility, by=self.by)
        return "Removed: nothing differed there."

    def approve(self, form: DecisionForm) -> str:
        adjust.approve(self.asked, by=self.by, why=form.cleaned_data["why"])
        return "Approved: it counts from the next call on."

    def refuse(self, form: DecisionForm) -> str:
        adjust.refuse(self.asked, by=self.by, why=form.cleaned_data["why"])
        return "Refused: the settings stay as they are."

    def withdraw(self, form: forms.Form) -> str:
        adjust.withdraw(self.asked, by=self.by)
        return "Withdrawn: the settings stay as they are."

    @property
    def wish(self) -> str:
        return self.asked.step

    @property
    def would_mean(self) -> str:
        return "it counts from the next call on, for everybody who is shown this service here."

    @property
    def foreseen(self) -> list[Alerts]:
        return adjust.foreseen(self.here, self.waiting) if self.waiting else []

    @property
    def asked(self) -> SettingsChange:
        if self.waiting is None:
            raise PermissionDenied
        return self.waiting


def _told(change: SettingsChange) -> str:
    if change.verdict == SettingsChange.Verdict.MADE:
        return f"Changed: {change.step}. It counts from the next call on."
    return (
        f"Asked for: {change.step}. Nothing changes until another person, with the role “clinical approver”, decides."
    )
