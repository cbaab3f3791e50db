"""How many alerts another threshold would raise: a table, a plot, and who would be alerted on, before anybody is."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.safestring import SafeString

from cds import audit, registry
from cds.admin import pages
from cds.admin.pictures import LOOK, picture
from cds.errors import BadInput
from cds.models import EnabledService, PopulationRun
from cds.simulate import Alerts, Population, Validation, population, runs, swept, validation
from scoring.plots import Spec

LISTED, RUNS = 100, 10
_DAYS = (7, 30, 90)


class WhatIfForm(forms.Form):
    """Of whom, and from which probability on."""

    whom = forms.ChoiceField(label="Of whom")
    threshold = forms.FloatField(
        label="Alert from a probability of, per cent", min_value=0.1, max_value=99, widget=forms.NumberInput
    )
    a_day = forms.FloatField(
        label="Patients a day",
        min_value=0.1,
        max_value=100_000,
        required=False,
        help_text="For the model's own figures and for a run, which were all counted at once.",
    )

    def __init__(self, data: Any, *, here: EnabledService, now: float) -> None:
        first = {"whom": "30", "threshold": round(100 * now, 2), "a_day": 100}
        super().__init__(data, initial=first)
        lately = [(str(days), f"People assessed here in the last {days} days") for days in _DAYS]
        swept = [(f"run {run.pk}", _run_in_words(run)) for run in runs(here)[:RUNS]]
        measured = ("validation", "The people on whom the version in use was measured")
        self.fields["whom"].choices = [*lately, measured, *swept]  # type: ignore[attr-defined]

    def people(self, here: EnabledService) -> Population | Validation:
        whom, a_day = self.cleaned_data["whom"], self.cleaned_data["a_day"] or self.initial["a_day"]
        if whom == "validation":
            return validation(here, a_day=a_day)
        if whom.startswith("run "):
            return swept(here, runs(here).get(pk=whom.removeprefix("run ")), a_day=a_day)
        return population(here, days=int(whom))


def _run_in_words(run: PopulationRun) -> str:
    return f"The population run of {run.created_at:%-d %b %Y}, {run.patients or 0:,} patients"


def simulator(model_admin: admin.ModelAdmin[EnabledService], request: HttpRequest, pk: int) -> HttpResponse:
    """Read only; that somebody looked at the list of people is audited first."""
    here = get_object_or_404(EnabledService.objects.select_related("ehr"), pk=pk)
    if not model_admin.has_view_permission(request, here):
        raise PermissionDenied
    service = next((one for one in registry.all_services() if one.id == here.service_id), None)
    if service is None:
        raise Http404("this service is not installed")
    now = service.threshold if here.threshold is None else here.threshold
    form = WhatIfForm(request.GET or None, here=here, now=now)
    shown = {"here": here, "ehr": here.ehr, "form": form, "now": 100 * now}
    if form.is_valid():
        try:
            people = form.people(here)
        except BadInput as error:
            form.add_error("whom", str(error))
        else:
            shown |= _would(request, here, people, threshold=form.cleaned_data["threshold"] / 100)
    return pages.rendered(model_admin, request, "enabledservice/alerts", f"Alerts of {service.title}", **shown)


def _would(
    request: HttpRequest, here: EnabledService, people: Population | Validation, *, threshold: float
) -> dict[str, Any]:
    alerted = people.alerted(threshold)
    if may_list := request.user.has_perm("cds.view_assessment"):
        actor = pages.actor(request, here.ehr)
        audit.record("list-alerts", actor=actor, ehr=here.ehr, subject=here.service_id, listed=len(alerted[:LISTED]))
    table = people.table(threshold)
    return {
        "people": people,
        "chosen": people.at(threshold),
        "table": table,
        "plot": _plot(table, threshold) if people.somebody else "",
        "alerted": alerted[:LISTED] if may_list else [],
        "unlisted": len(alerted) - len(alerted[:LISTED]),
    }


def _plot(table: list[Alerts], threshold: float) -> SafeString:
    says = f"Alerts a day by threshold, from {100 * table[0].threshold:g} to {100 * table[-1].threshold:g} per cent."
    return picture(_spec(table, threshold, width=460), says=says, narrow=_spec(table, threshold, width=260))


def _spec(table: list[Alerts], threshold: float, *, width: int) -> Spec:
    rows = [{"threshold": 100 * one.threshold, "alerts": one.a_day} for one in table]
    x = {
        "field": "threshold",
        "type": "quantitative",
        "scale": {"type": "log", "nice": False},
        "axis": {"title": "Threshold, per cent (spaced by its logarithm)", "values": [1, 2, 5, 10, 20, 50]},
    }
    y = {"field": "alerts", "type": "quantitative", "axis": {"title": "Alerts a day", "tickCount": 5}}
    line = {"mark": {"type": "line", "point": True, "color": LOOK.raises}, "encoding": {"x": x, "y": y}}
    rule = {"mark": {"type": "rule", "color": LOOK.lowers, "strokeDash": [4, 3]}}
    return {
        "title": "Alerts a day; dashed: the threshold above",
        "width": width,
        "height": 180,
        "data": {"values": rows},
        "layer": [line, {**rule, "encoding": {"x": {"datum": 100 * threshold}}}],
    }
