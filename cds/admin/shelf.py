"""The versions of a model: one page each, to compare it with the one in use, ask for it, decide, or go back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from cds import registry, release
from cds.admin import pages
from cds.admin.acting import Acts, DecisionForm, why_field
from cds.admin.happened import ReadOnly
from cds.models import EnabledService, ModelChange
from scoring import shelf
from scoring.headline import at_home, first_version, headline
from scoring.models import ModelVersion

Status = ModelVersion.Status
MEANS = {
    Status.DRAFT: "A draft: nobody is shown its answers.",
    Status.APPROVED: "In use: every question is answered with it.",
    Status.RETIRED: "Retired: it answers nothing new; what was asked of it is still answered with it.",
}


class WhyForm(forms.Form):
    why = why_field()


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnly):
    list_display = ("name", "version", "status", "approved_by", "approved_at", "created_at")
    list_filter = ("name", "status")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        return super().get_queryset(request).defer("artefact")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A page of its own: nothing of a version is edited."""
        version = self.required(request, object_id)
        acts = VersionActs(request, version)
        if request.method == "POST" and acts.do():
            return acts.back()
        return pages.rendered(self, request, "modelversion/page", str(version), **_shown(version, acts))


@admin.register(ModelChange)
class ModelChangeAdmin(ReadOnly):
    """What was asked of all models; a row leads to its version's page."""

    list_display = ("asked_at", "version", "step", "verdict", "asked_by", "decided_by")
    list_filter = ("verdict", "kind", "version__name", "asked_at")
    list_select_related = ("version", "before")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return redirect("admin:scoring_modelversion_change", self.required(request, object_id).version_id)


def _shown(version: ModelVersion, acts: VersionActs) -> dict[str, Any]:
    now = shelf.in_use(version.name)
    theirs = headline(now.facts) if now and now != version else {}
    ids = [service.id for service in registry.all_services() if service.model == version.name]
    past = ModelChange.objects.filter(version__name=version.name).exclude(verdict=ModelChange.Verdict.WAITING)
    return {
        "version": version,
        "now": now,
        "means": MEANS[Status(version.status)],
        "figures": [(title, figure, theirs.get(title, "")) for title, figure in headline(version.facts).items()],
        "at_home": at_home(version.facts),
        "first_version": first_version(version.facts),
        "asked_by": EnabledService.objects.filter(service_id__in=ids).select_related("ehr").order_by("ehr__name"),
        "acts": acts,
        "history": past.select_related("version", "before").order_by("-pk")[:100],
    }


class VersionActs(Acts):
    """What this person may do with this version."""

    route = "admin:scoring_modelversion_change"

    def __init__(self, request: HttpRequest, version: ModelVersion) -> None:
        key = f"admin {request.user.pk}"  # a model is of no EHR in particular
        super().__init__(request, version, by=pages.person(request, key, approves="cds.approve_model"))
        self.version = version
        self.waiting = version.changes.filter(verdict=ModelChange.Verdict.WAITING).first()
        self.shown_at = release.shown_at(version)
        self.short = bool(release.shortages(self.shown_at))
        self.forms = self.decision_forms(self.waiting, short=self.short)
        for name, may in self._may().items():
            if may:
                self.forms[name] = WhyForm(self.data(name), prefix=name)

    def _may(self) -> dict[str, bool]:
        status, has = self.version.status, self.request.user.has_perm
        return {
            "ask": status != Status.APPROVED and self.waiting is None and has("cds.ask_model"),
            "roll_back": bool(self.version.replaces_id) and status == Status.APPROVED and has("cds.roll_back_model"),
            "retire": status == Status.DRAFT and self.by.approves,
        }

    def ask(self, form: WhyForm) -> str:
        release.ask(self.version, by=self.by, why=form.cleaned_data["why"])
        return "Asked. Nothing changes until another person, with the role “clinical approver”, decides."

    def approve(self, form: DecisionForm) -> str:
        release.approve(self.asked, by=self.by, **form.cleaned_data)
        return f"{self.version.version} is in use from the next question on."

    def refuse(self, form: DecisionForm) -> str:
        release.refuse(self.asked, by=self.by, why=form.cleaned_data["why"])
        return "Refused: the version in use stays."

    def withdraw(self, form: forms.Form) -> str:
        release.withdraw(self.asked, by=self.by)
        return "Withdrawn: the version in use stays."

    def roll_back(self, form: WhyForm) -> str:
        row = release.roll_back(self.version.name, by=self.by, why=form.cleaned_data["why"])
        return f"{row.version} is in use again from the next question on."

    def retire(self, form: WhyForm) -> str:
        release.retire(self.version, by=self.by, why=form.cleaned_data["why"])
        return "Put aside."

    @property
    def wish(self) -> str:
        return f"use {self.version.name} {self.version.version}"

    @property
    def would_mean(self) -> str:
        now = shelf.in_use(self.version.name)
        instead = f" instead of {now.version}" if now else ""
        return (
            f"every question from the next one on is answered with {self.version.version}{instead}, within two seconds and"
            " without dropping one. Questions that wait in the queue are still answered with the version they were asked of."
        )

    @property
    def shortage(self) -> str:
        """Why the scorecards do not carry it."""
        return f"No complete scorecard of this version: {'; '.join(release.shortages(self.shown_at))}."

    @property
    def asked(self) -> ModelChange:
        if self.waiting is None:
            raise PermissionDenied
        return self.waiting
