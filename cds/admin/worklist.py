"""The worklist of a population run, one person's answer, what leaves it, and the one-page report."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from msgspec.structs import replace

from cds import registry
from cds.admin import pages
from cds.admin.pictures import LOOK, picture
from cds.errors import CdsError
from cds.fhir.versions import FHIR_JSON
from cds.finding import NotApplicable
from cds.models import PopulationResult, PopulationRun
from cds.plots import waterfall
from cds.population import publish
from cds.population.overtaken import newest
from cds.population.report import Report, report
from cds.population.worklist import PAGE, Wanted, choices, in_words, listable, worklist
from cds.why import in_words as why_in_words
from cds.why import why
from scoring.plots import Spec

MOST_AGES = 130


class FilterForm(forms.Form):
    """Every field may be left as it is: then it shows who alerts, the highest risk first."""

    everybody = forms.BooleanField(label="Also those who do not alert", required=False)
    reason = forms.ChoiceField(label="Reason", required=False)
    panel = forms.ChoiceField(label="On the panel of", required=False)
    sex = forms.ChoiceField(
        label="Sex",
        required=False,
        choices=[("", "any"), *((one, one) for one in ("female", "male", "other", "unknown"))],
    )
    youngest = forms.IntegerField(label="Age from", required=False, min_value=0, max_value=MOST_AGES)
    oldest = forms.IntegerField(label="to", required=False, min_value=0, max_value=MOST_AGES)
    untested_months = forms.TypedChoiceField(
        label="Not tested for",
        required=False,
        coerce=lambda given: int(given or 0),
        empty_value="",
        choices=[("", "any time"), (12, "a year"), (36, "3 years"), (60, "5 years")],
    )
    oldest_test_first = forms.BooleanField(label="Longest untested first", required=False)
    overtaken = forms.BooleanField(label="Only who has a newer answer", required=False)

    def __init__(self, data: Any, *, run: PopulationRun) -> None:
        super().__init__(data)
        for name, found in choices(run).items():
            self.fields[name].choices = [("", "any"), *found]  # type: ignore[attr-defined]

    def wanted(self) -> Wanted:
        given = dict(self.cleaned_data)
        youngest, oldest = given.pop("youngest"), given.pop("oldest")
        ages = None if youngest is None and oldest is None else (youngest or 0, MOST_AGES if oldest is None else oldest)
        months = given.pop("untested_months") or 0
        return Wanted(**given, untested_months=months, ages=ages)


def urls(model_admin: admin.ModelAdmin[PopulationRun]) -> list[URLPattern]:
    view = model_admin.admin_site.admin_view
    return [
        path("<uuid:pk>/worklist/", view(partial(listed, model_admin)), name="cds_populationrun_worklist"),
        path("<uuid:pk>/worklist/<int:row_id>/", view(partial(person, model_admin)), name="cds_populationrun_person"),
        path("<uuid:pk>/worklist.<str:form>", view(partial(taken, model_admin)), name="cds_populationrun_taken"),
        path("<uuid:pk>/report/", view(partial(reported, model_admin)), name="cds_populationrun_report"),
    ]


def listed(model_admin: admin.ModelAdmin[PopulationRun], request: HttpRequest, pk: str) -> HttpResponse:
    """A page of people; that each of them was seen is on record first."""
    run = _run(request, pk)
    form = FilterForm(request.GET, run=run)
    if not form.is_valid():
        return pages.rendered(model_admin, request, "populationrun/worklist", "Worklist", run=run, form=form)
    wanted = form.wanted()
    found = Paginator(worklist(run, wanted), PAGE).get_page(request.GET.get("page"))
    rows = list(publish.seen(found, run=run, actor=_actor(request, run), how="view-worklist"))
    newer = newest(rows, run) if wanted.overtaken else {}
    query = request.GET.copy()
    query.pop("page", None)
    shown = {"rows": [_row(row, newer) for row in rows], "page": found, "query": query.urlencode(), "wanted": wanted}
    if not wanted.overtaken:
        shown["overtaken"] = worklist(run, replace(wanted, overtaken=True)).count()
        query["overtaken"] = "on"
        shown["those"] = query.urlencode()
    return pages.rendered(model_admin, request, "populationrun/worklist", "Worklist", run=run, form=form, **shown)


def _row(row: PopulationResult, newer: Mapping[str, PopulationResult]) -> dict[str, Any]:
    """`newer`: by pseudonym the answer that has overtaken it."""
    said = {"result": row, "patient": publish.patient_of(row), "reason": in_words(row.reason)}
    return {**said, "newer": newer.get(row.pseudonym)}


def person(model_admin: admin.ModelAdmin[PopulationRun], request: HttpRequest, pk: str, row_id: int) -> HttpResponse:
    """What was answered about one of them, and why."""
    run = _run(request, pk)
    row = get_object_or_404(listable(run).select_related("assessment"), pk=row_id)
    list(publish.seen([row], run=run, actor=_actor(request, run), how="view-worklist-person"))
    shown = {**_row(row, newest([row], run)), **_answer(row)}
    return pages.rendered(model_admin, request, "populationrun/person", shown["patient"], run=run, **shown)


def _answer(row: PopulationResult) -> dict[str, Any]:
    """The case file's answer in words and its factors, where there is a case file."""
    if row.assessment is None:
        return {}
    try:
        outcome, context = row.assessment.outcome, row.assessment.context
    except CdsError as error:
        return {"gone": str(error)}
    if outcome is None:
        return {}
    shown: dict[str, Any] = {"sentence": registry.get(row.assessment.service_id).sentence(outcome, context)}
    if not isinstance(outcome, NotApplicable) and outcome.estimate is not None:
        estimate = outcome.estimate
        wide, narrow = (waterfall(estimate, size=size, theme=LOOK) for size in ("wide", "narrow"))
        shown |= {"why": why(estimate), "plot": picture(wide, says=why_in_words(estimate), narrow=narrow)}
    return shown


def taken(model_admin: admin.ModelAdmin[PopulationRun], request: HttpRequest, pk: str, form: str) -> Any:
    """As CSV, or as a FHIR Group or List, with the page's filters."""
    run = _run(request, pk)
    filters = FilterForm(request.GET, run=run)
    if not filters.is_valid() or filters.wanted().overtaken:  # these leave with the run of their newest answer
        raise Http404
    found = worklist(run, filters.wanted()).iterator(chunk_size=500)
    rows = publish.seen(found, run=run, actor=_actor(request, run), how=f"take-worklist-{form}"[:30])
    if form == "csv":
        return _attached(StreamingHttpResponse(publish.as_csv(rows), content_type="text/csv; charset=utf-8"), "csv")
    if form not in publish.AS_FHIR:
        raise Http404
    resource = publish.AS_FHIR[form](rows, run, name=f"{run.service_id}, {run.as_of:%Y-%m-%d}")
    return _attached(HttpResponse(msgspec.json.encode(resource), content_type=FHIR_JSON), f"{form}.json")


def _attached(answer: Any, ending: str) -> Any:
    answer["Content-Disposition"] = f'attachment; filename="worklist.{ending}"'
    answer["Cache-Control"] = "no-store"
    return answer


def reported(model_admin: admin.ModelAdmin[PopulationRun], request: HttpRequest, pk: str) -> HttpResponse:
    """Numbers only; nobody is named, and small groups are hidden."""
    run = get_object_or_404(PopulationRun.objects.select_related("ehr"), pk=pk)
    if not model_admin.has_view_permission(request, run):
        raise PermissionDenied
    found = report(run)
    shown = {"report": found, "plot": _risk_plot(found, run)}
    return pages.rendered(model_admin, request, "populationrun/report", "Population report", run=run, **shown)


def _risk_plot(found: Report, run: PopulationRun) -> SafeString | str:
    people = sum(count for _, _, count in found.risk)
    if not people:
        return ""
    above = sum(count for low, _, count in found.risk if low >= run.threshold)
    says = f"How the estimated risk is spread among {people} people; {above} in bands at or above the threshold."
    return picture(_risk(found, run, width=460), says=says, narrow=_risk(found, run, width=260))


def _risk(found: Report, run: PopulationRun, *, width: int) -> Spec:
    rows = [{"low": 100 * low, "high": 100 * high, "people": count} for low, high, count in found.risk]
    x = {"field": "low", "type": "quantitative", "bin": {"binned": True}, "axis": {"title": "Estimated risk, per cent"}}
    y = {"field": "people", "type": "quantitative", "axis": {"title": "People", "tickCount": 5, "tickMinStep": 1}}
    bar = {"mark": {"type": "bar", "color": LOOK.raises}, "encoding": {"x": x, "x2": {"field": "high"}, "y": y}}
    rule = {"mark": {"type": "rule", "color": LOOK.ink, "strokeDash": [4, 3]}}
    return {
        "title": {"text": "People by estimated risk", "subtitle": "dashed: the threshold", "subtitleColor": LOOK.quiet},
        "width": width,
        "height": 180,
        "data": {"values": rows},
        "layer": [bar, {**rule, "encoding": {"x": {"datum": 100 * run.threshold, "type": "quantitative"}}}],
    }


def _run(request: HttpRequest, pk: str) -> PopulationRun:
    """For those who may see who is on it."""
    if not request.user.has_perm("cds.open_worklist"):
        raise PermissionDenied
    return get_object_or_404(PopulationRun.objects.select_related("ehr"), pk=pk)


def _actor(request: HttpRequest, run: PopulationRun) -> str:
    return pages.actor(request, run.ehr) if run.ehr else pages.whoever(request)
