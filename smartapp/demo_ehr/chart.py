"""The hospital's pages: the list of patients, and the chart that asks for decision support when it is opened."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from smartapp.demo_ehr import addresses, arrivals, decisions, interactions, people, prescribing, record
from smartapp.demo_ehr.cards import ShownCard, deck
from smartapp.demo_ehr.context import launch_token
from smartapp.demo_ehr.outcomes import FhirError
from smartapp.demo_ehr.pages import hospital_page
from smartapp.demo_ehr.store import chart_store


@require_GET
@hospital_page
def patient_list(request: HttpRequest) -> HttpResponse:
    return render(request, "demo_ehr/patients.html", {"patients": people.everyone()})


@require_GET
@ensure_csrf_cookie
@hospital_page
def chart(request: HttpRequest, patient_id: str) -> HttpResponse:
    return render(request, "demo_ehr/chart.html", chart_of(patient_id))


@require_GET
@hospital_page
def results(request: HttpRequest, patient_id: str) -> HttpResponse:
    """What the app saved and what was ordered: the part that changes while the chart is open."""
    return part(request, "demo_ehr/results.html", chart_of(patient_id))


@require_POST
@hospital_page
def hook(request: HttpRequest, patient_id: str) -> HttpResponse:
    return part(request, "demo_ehr/cards.html", {**chart_of(patient_id), "asked": decisions.ask(patient_id)})


@require_POST
@hospital_page
def prescribe(request: HttpRequest, patient_id: str) -> HttpResponse:
    """Metformin is selected: not signed yet."""
    context = {**chart_of(patient_id), "asked": prescribing.select(patient_id), "button": "Sign"}
    return part(request, "demo_ehr/draft.html", {**context, "draft": prescribing.METFORMIN["display"]})


@require_POST
@hospital_page
def sign(request: HttpRequest, patient_id: str) -> HttpResponse:
    context = {**chart_of(patient_id), "draft": prescribing.METFORMIN["display"], "button": "Sign anyway"}
    signing = prescribing.sign(patient_id, anyway="anyway" in request.POST)
    if signing.signed:
        lines = [f"{context['draft']} is in the chart."]
        return part(request, "demo_ehr/done.html", {**context, "title": "Signed", "lines": lines})
    return part(request, "demo_ehr/draft.html", {**context, "asked": signing.asked, "anyway": True})


@require_POST
@hospital_page
def accept(request: HttpRequest, patient_id: str, key: str) -> HttpResponse:
    shown, index = card_of(patient_id, key), number(request.POST.get("suggestion", ""))
    if index is None or index >= len(shown.card.get("suggestions", ())):
        raise Http404("no such suggestion")
    try:
        lines = decisions.accept(shown, index)
    except FhirError as error:
        lines = [f"Not done, the chart is unchanged: {error}"]
    return part(request, "demo_ehr/done.html", {**chart_of(patient_id), "title": "Accepted", "lines": lines})


@require_POST
@hospital_page
def override(request: HttpRequest, patient_id: str, key: str) -> HttpResponse:
    shown, reason = card_of(patient_id, key), number(request.POST.get("reason", ""))
    if reason is not None and reason >= len(shown.card.get("overrideReasons", ())):
        raise Http404("no such reason")
    lines = decisions.override(shown, reason=reason, comment=request.POST.get("comment", "").strip())
    return part(request, "demo_ehr/done.html", {**chart_of(patient_id), "title": "Overridden", "lines": lines})


@require_POST
@hospital_page
def arrive(request: HttpRequest, patient_id: str) -> HttpResponse:
    """A result comes from the laboratory."""
    context = chart_of(patient_id)
    try:
        news = arrivals.arrive(patient_id, request.POST.get("test", ""), request.POST.get("value", "").strip())
    except FhirError as error:
        return part(request, "demo_ehr/done.html", {**context, "title": "Not entered", "lines": [str(error)]})
    return part(request, "demo_ehr/arrived.html", {**chart_of(patient_id), "news": news})


@require_GET
@hospital_page
def news(request: HttpRequest, patient_id: str, result: str) -> HttpResponse:
    """What became of it since."""
    context = chart_of(patient_id)
    try:
        observation = interactions.read(decisions.clinician_in(patient_id), "Observation", result).body or {}
    except FhirError as error:
        raise Http404("no such result") from error
    return part(request, "demo_ehr/arrived.html", {**context, "news": arrivals.news_of(observation)})


@require_GET
@hospital_page
def launch(request: HttpRequest, patient_id: str) -> HttpResponse:
    """Sends the frame on to the app, with what the card's link carries as `appContext`, if a card's it was."""
    require_patient(patient_id)
    query = {"iss": addresses.fhir_base(), "launch": launch_token(patient_id, app_context_of(request, patient_id))}
    return HttpResponseRedirect(f"{addresses.launch_url()}?{urlencode(query)}")


def app_context_of(request: HttpRequest, patient_id: str) -> str | None:
    if "card" not in request.GET:
        return None
    links = card_of(patient_id, request.GET["card"]).links
    index = number(request.GET.get("link", ""))
    if index is None or index >= len(links) or links[index]["type"] != "smart" or links[index]["refused"]:
        raise Http404("no such link")
    return links[index].get("appContext")


def part(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """The part alone for the page's script, the whole page with it for a browser without."""
    if request.headers.get("X-Requested-With") == "fetch":
        return render(request, template, context)
    inserted = render_to_string(template, context, request)
    return render(request, "demo_ehr/chart.html", {**context, "inserted": inserted})


def chart_of(patient_id: str) -> dict[str, Any]:
    require_patient(patient_id)
    return {
        "patient": people.banner_of(chart_store().read("Patient", patient_id)),
        "problems": record.problems(patient_id),
        "medications": record.medications(patient_id),
        "allergies": record.allergies(patient_id),
        "laboratory": record.latest(patient_id, "laboratory"),
        "vitals": record.latest(patient_id, "vital-signs"),
        "orders": record.orders(patient_id),
        "results": record.results(patient_id),
        "tests": arrivals.TESTS,
    }


def require_patient(patient_id: str) -> None:
    if not chart_store().has("Patient", patient_id):
        raise Http404("no such patient")


def card_of(patient_id: str, key: str) -> ShownCard:
    shown = deck.get(key, patient_id=patient_id)
    if shown is None:
        raise Http404("this card is no longer shown")
    return shown


def number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
