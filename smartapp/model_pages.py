"""Public, without any patient: a page for each version of a model that is or was in use, and the same for machines."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import wraps

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from cds.model_card import attributes, document, service_of
from cds.service import DecisionService
from cds.source_attributes import CHAPTERS, PARAGRAPH
from scoring import figures, forest
from scoring.headline import at_home, first_version, headline
from scoring.models import ModelVersion
from scoring.plots import THEMES, svg
from smartapp import model_card

LATEST = "latest"
Status = ModelVersion.Status
View = Callable[..., HttpResponse]
Plot = figures.Figure | forest.Forest


def of_a_version(view: View) -> Callable[..., HttpResponse]:
    """The view of the version that the address names; `latest` is the one in use."""

    @require_GET
    @wraps(view)
    def found(request: HttpRequest, name: str, version: str = LATEST, **more: str) -> HttpResponse:
        service = service_of(name)
        row = _version(name, version) if service and "\0" not in version else None  # PostgreSQL takes no NUL
        if service is None or row is None or not _public(request, row):
            raise Http404("no such model")
        return view(request, service, row, **more)

    return found


def _version(name: str, version: str) -> ModelVersion | None:
    rows = ModelVersion.objects.filter(name=name).defer("artefact")
    return rows.filter(**({"status": Status.APPROVED} if version == LATEST else {"version": version})).first()


def _public(request: HttpRequest, row: ModelVersion) -> bool:
    """What was never in use is for administrators: a candidate's figures are of the hospital's own patients."""
    looks = request.user.is_staff and request.user.has_perm("scoring.view_modelversion")
    return row.approved_at is not None or looks


@of_a_version
def page(request: HttpRequest, service: DecisionService, version: ModelVersion) -> HttpResponse:
    answers = {answer.attribute.key: answer for answer in attributes(service, version)}
    shown = {
        "service": service,
        "version": version,
        "others": [row for row in _others(version) if _public(request, row)],
        "figures": headline(version.facts),
        "at_home": at_home(version.facts),
        "first_version": first_version(version.facts),
        "plots": [(name, plot.says(version.facts)) for name, plot in _plots(version).items()],
        "card": model_card.as_html(service, version),
        "chapters": [
            (chapter.title, [answers[attribute.key] for attribute in chapter.attributes]) for chapter in CHAPTERS
        ],
        "regulation": PARAGRAPH,
    }
    return render(request, "smartapp/model.html", shown)


def _plots(version: ModelVersion) -> dict[str, Plot]:
    return {**figures.drawable(version.facts), **forest.drawable(version.facts)}


def _others(version: ModelVersion) -> list[ModelVersion]:
    rows = ModelVersion.objects.filter(name=version.name).exclude(pk=version.pk)
    return list(rows.defer("artefact", "facts"))


@of_a_version
def plot(
    request: HttpRequest, service: DecisionService, version: ModelVersion, *, plot: str, size: str, theme: str
) -> HttpResponse:
    """An <img> of the page, so that no style of it touches the page."""
    found, colours = _plots(version).get(plot), THEMES.get(theme)
    if found is None or colours is None or size not in figures.WIDTHS:
        raise Http404("no such plot")
    spec = found.spec(version.facts, size=size, theme=colours)
    return HttpResponse(svg(spec, colours), content_type="image/svg+xml")


@of_a_version
def as_json(request: HttpRequest, service: DecisionService, version: ModelVersion) -> HttpResponse:
    return JsonResponse(document(service, version), json_dumps_params={"indent": 1, "ensure_ascii": False})


@of_a_version
def as_markdown(request: HttpRequest, service: DecisionService, version: ModelVersion) -> HttpResponse:
    text = model_card.markdown(service, version)
    return HttpResponse(text, content_type="text/markdown; charset=utf-8")


@of_a_version
def as_csv(request: HttpRequest, service: DecisionService, version: ModelVersion) -> HttpResponse:
    """The source attributes, one a row, as an EHR's administrators import or paste them."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    name = f"{version.name}-{version.version}-source-attributes.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    rows = csv.writer(response)
    rows.writerow(("paragraph", "key", "attribute", "available", "text"))
    for answer in attributes(service, version):
        known, text = answer.attribute, answer.text or f"Not available: {answer.why_not}."
        rows.writerow((known.paragraph, known.key, known.title, "yes" if answer.text else "no", text))
    return response
