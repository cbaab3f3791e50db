"""The authorization endpoint: no question in an EHR launch, a page to pick clinician and patient otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from smartapp.demo_ehr import addresses, tokens
from smartapp.demo_ehr.context import OpenChart, open_chart, opened
from smartapp.demo_ehr.pages import framed_by_ourselves
from smartapp.demo_ehr.people import choices
from smartapp.demo_ehr.scopes import grantable
from smartapp.demo_ehr.store import chart_store

REQUIRED = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "aud",
    "code_challenge",
    "code_challenge_method",
)
CHALLENGE = re.compile(r"^[A-Za-z0-9_-]{43}$")  # the base64url of a SHA-256
REFRESH = ("online_access", "offline_access")
CODE_SECONDS = 60
CHOICE_SECONDS = 600


class Refusal(Exception):
    """An OAuth error that the app is told through its redirect URI."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


@csrf_exempt  # SMART lets the app POST its request from its own site; nothing is decided here by a cookie
@require_http_methods(["GET", "POST"])
@framed_by_ourselves
def authorize(request: HttpRequest) -> HttpResponse:
    given = request.GET if request.method == "GET" else request.POST
    # Before client and redirect URI are known to belong together, the browser is sent nowhere.
    if given.get("client_id") != addresses.CLIENT_ID or given.get("redirect_uri") != addresses.redirect_uri():
        return render(request, "demo_ehr/refused.html", {"why": "The app is not registered here."}, status=400)
    try:
        wanted = checked(given)
        if "launch" in wanted["scope"].split():
            return to_app(state=wanted["state"], code=code_for(wanted, launched(wanted)))
    except Refusal as refusal:
        return to_app(state=given.get("state", ""), error=refusal.error, error_description=refusal.description)
    return render(request, "demo_ehr/authorize.html", {"choices": choices(), "choice": choice_token(wanted)})


def checked(given: QueryDict) -> dict[str, str]:
    """The request once it is complete, for this server, and protected by PKCE."""
    if any(len(values) > 1 for _, values in given.lists()):
        raise Refusal("invalid_request", "a parameter was sent twice")
    wanted = given.dict()
    if missing := [name for name in REQUIRED if not wanted.get(name)]:
        raise Refusal("invalid_request", f"missing: {', '.join(missing)}")
    if wanted["response_type"] != "code":
        raise Refusal("unsupported_response_type", "response_type must be code")
    if str(wanted["aud"]).rstrip("/") != addresses.fhir_base():
        raise Refusal("invalid_request", "aud is another server")
    if wanted["code_challenge_method"] != "S256" or not CHALLENGE.match(str(wanted["code_challenge"])):
        raise Refusal("invalid_request", "PKCE with S256 is required")
    return {name: str(value) for name, value in wanted.items()}


def launched(wanted: Mapping[str, str]) -> OpenChart:
    try:
        return opened(tokens.open_token(wanted.get("launch", ""), use="launch"))
    except tokens.BadToken as error:
        raise Refusal("invalid_request", "launch is unknown or too old") from error


def choice_token(wanted: Mapping[str, str]) -> str:
    """The checked request, signed, so that the page can bring it back unchanged."""
    return tokens.issue("choice", seconds=CHOICE_SECONDS, wanted=dict(wanted))


@require_POST
@framed_by_ourselves
def choose(request: HttpRequest) -> HttpResponse:
    """What the person picked on the page of a standalone launch."""
    try:
        wanted = tokens.open_token(request.POST.get("choice", ""), use="choice")["wanted"]
    except tokens.BadToken:
        return render(request, "demo_ehr/refused.html", {"why": "This page is too old. Start again."}, status=400)
    patient, user = request.POST.get("patient", ""), request.POST.get("user", "")
    known = chart_store().has("Patient", patient) and chart_store().has("Practitioner", user)
    if "cancel" in request.POST or not known:
        return to_app(state=wanted["state"], error="access_denied", error_description="Nobody was picked.")
    return to_app(state=wanted["state"], code=code_for(wanted, open_chart(patient, user=user)))


def code_for(wanted: Mapping[str, str], chart: OpenChart) -> str:
    """A signed, self-contained authorization code; the token endpoint sees to it that it is used once."""
    words = frozenset({"openid", "fhirUser", "launch", "launch/patient", "launch/encounter", *REFRESH})
    return tokens.issue(
        "code",
        seconds=CODE_SECONDS,
        scope=grantable(wanted["scope"], levels=frozenset({"patient", "user"}), words=words),
        challenge=wanted["code_challenge"],
        redirect_uri=wanted["redirect_uri"],
        nonce=wanted.get("nonce", ""),
        **chart.as_claims(),
    )


def to_app(**parameters: str) -> HttpResponse:
    # `iss` tells the app which of its hospitals answered (RFC 9207).
    query = urlencode({**parameters, "iss": addresses.hospital()})
    return HttpResponseRedirect(f"{addresses.redirect_uri()}?{query}")
