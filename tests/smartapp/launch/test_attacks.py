"""Every attack of the launch that the standard and its digests warn of, tried."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings as site_settings
from django.core.cache import cache
from django.test import Client
from joserfc import jwt
from pytest_django import Settings

from cds.models import Ehr
from smartapp.demo_ehr.store import chart_store
from smartapp.models import Launch, SmartSession
from tests.smartapp.conftest import Browser
from tests.smartapp.stranger import Hospital

SCRIPT = "<script>alert('x')</script>"


def text(response: Any) -> str:
    return str(response.content.decode())


def state_of(begun: Any) -> str:
    return str(parse_qs(urlsplit(begun["Location"]).query)["state"][0])


class Launching:
    """A launch at the other hospital, up to the callback; the hospital says what the attack needs."""

    def __init__(self, ehr: Ehr, hospital: Hospital) -> None:
        self.ehr, self.hospital = ehr, hospital
        self.client = Client(SERVER_NAME="localhost")

    def begin(self) -> str:
        begun = self.client.get("/launch", {"iss": self.ehr.fhir_base, "launch": "ticket"})
        assert begun.status_code == 302, text(begun)
        return state_of(begun)

    def finish(self, state: str, *, claims: dict[str, Any] | None = None, **members: Any) -> Any:
        """The hospital answers the code with a token; `claims` and `members` are what is wrong with it."""
        nonce = bytes(Launch.objects.latest("created_at").nonce).decode()
        now = int(time.time())
        usual = {"iss": self.hospital.url, "aud": "bedside", "sub": "42", "nonce": nonce, "iat": now, "exp": now + 300}
        key = self.hospital.key
        id_token = jwt.encode({"alg": "RS256", "kid": str(key.kid)}, usual | (claims or {}), key)
        answer = {"access_token": "a", "token_type": "Bearer", "scope": "launch", "patient": "p1", "id_token": id_token}
        self.hospital.pages["/token"] = (200, {k: v for k, v in (answer | members).items() if v is not None})
        return self.client.get("/callback", {"state": state, "code": "c"})

    def run(self, **wrong: Any) -> Any:
        return self.finish(self.begin(), **wrong)


@pytest.fixture
def launching(other_ehr: Ehr, stranger: Hospital) -> Launching:
    return Launching(other_ehr, stranger)


def test_the_launch_that_the_attacks_change_would_succeed(launching: Launching) -> None:
    assert launching.run()["Location"] == f"/app/{SmartSession.objects.get().id}/"


# --- Login CSRF, session fixation --------------------------------------------------------------------------------
def test_a_victims_browser_cannot_be_logged_in_with_the_attackers_answer(browser: Browser) -> None:
    attackers = browser.authorize(browser.launch("ada"))
    assert Client(SERVER_NAME="localhost").get("/callback", attackers).status_code == 403
    assert not SmartSession.objects.exists()


def test_a_session_cookie_that_the_browser_brought_is_never_taken_over(browser: Browser) -> None:
    planted = browser.open("bruno").split("/")[2]
    secrets = {cookie.value for cookie in browser.client.cookies.values()}
    finished = browser.callback(browser.authorize(browser.launch("ada")))
    fresh = finished["Location"].split("/")[2]
    assert fresh != planted
    assert finished.cookies[f"__Host-bedside-session-{fresh.replace('-', '')}"].value not in secrets


# --- Code injection ----------------------------------------------------------------------------------------------
def test_the_code_of_one_launch_does_not_fit_another(browser: Browser) -> None:
    first, second = (browser.authorize(browser.launch(patient)) for patient in ("ada", "bruno"))
    assert browser.callback(first | {"code": second["code"]}).status_code == 403
    assert not SmartSession.objects.exists()


# --- Mix-up of two EHRs ------------------------------------------------------------------------------------------
def test_a_code_of_one_ehr_is_never_sent_to_another(browser: Browser, launching: Launching) -> None:
    """The other hospital, registered but hostile, has passed our request on to the demo hospital."""
    answered = browser.authorize(browser.launch("ada"))
    mixed = {"state": launching.begin(), "code": answered["code"], "iss": answered["iss"]}
    assert launching.client.get("/callback", mixed).status_code == 403
    assert launching.hospital.posted == []


def test_an_ehr_that_promises_to_name_itself_must(browser: Browser) -> None:
    answered = browser.authorize(browser.launch("ada"))
    del answered["iss"]
    assert browser.callback(answered).status_code == 403
    assert not SmartSession.objects.exists()


# --- Rogue iss, fake FHIR server ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "iss", ["{0}/fhir", "{0}/fhir/../fhir", "{0}@127.0.0.1/fhir", "{0}/fhir?x", "{0}/fhir#x", "{0}/fhir\0"]
)
def test_no_request_goes_to_an_issuer_that_is_not_registered_to_the_letter(
    browser: Browser, stranger: Hospital, iss: str
) -> None:
    assert browser.launch("ada", iss=iss.format(stranger.url)).status_code == 400
    assert stranger.asked == []


def test_the_token_is_asked_for_the_registered_base_whatever_the_launch_spelt(browser: Browser) -> None:
    begun = browser.launch("ada", iss=f"{browser.ehr.fhir_base}/")
    assert parse_qs(urlsplit(begun["Location"]).query)["aud"] == [browser.ehr.fhir_base]


def test_a_clinician_at_another_server_is_not_looked_up_with_our_token(launching: Launching) -> None:
    asked = f"http://localhost:{launching.hospital.server_port}/fhir/Practitioner/7"
    assert launching.run(claims={"fhirUser": asked}).status_code == 302
    assert SmartSession.objects.get().grant.user == ""
    assert not [path for path in launching.hospital.asked if "Practitioner" in path]


def test_what_no_database_takes_in_the_answer_does_no_harm(launching: Launching) -> None:
    assert launching.run(tenant="\0", intent="\0", fhirContext=[{"reference": "\0"}]).status_code == 302


# --- Open redirector ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["next", "redirect", "redirect_uri", "return_to", "url"])
def test_no_parameter_sends_the_browser_elsewhere(browser: Browser, name: str) -> None:
    elsewhere = {name: "https://elsewhere.example.org/"}
    begun = browser.launch("ada", **elsewhere)
    assert begun["Location"].startswith(f"{site_settings.DEMO_EHR_URL}/oauth/authorize?")
    assert "elsewhere" not in begun["Location"]
    finished = browser.callback(browser.authorize(begun) | elsewhere)
    assert finished["Location"] == f"/app/{SmartSession.objects.get().id}/"


def test_an_authorization_page_elsewhere_is_not_gone_to(launching: Launching) -> None:
    launching.hospital.configuration["authorization_endpoint"] = "https://elsewhere.example.org/authorize"
    refused = launching.client.get("/launch", {"iss": launching.ehr.fhir_base, "launch": "ticket"})
    assert refused.status_code == 502
    assert "Location" not in refused


# --- id_token ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "claims",
    [{"aud": "another-app"}, {"iss": "https://elsewhere.example.org"}, {"nonce": "of another launch"}, {"exp": 1}],
    ids=str,
)
def test_an_id_token_for_somebody_else_opens_nothing(launching: Launching, claims: dict[str, Any]) -> None:
    assert launching.run(claims=claims).status_code == 403
    assert not SmartSession.objects.exists()


# --- Replay ------------------------------------------------------------------------------------------------------
def test_a_replayed_launch_goes_to_the_login_again_and_into_no_open_session(browser: Browser) -> None:
    first = browser.launch("ada")
    opened = browser.callback(browser.authorize(first))["Location"]
    replayed = browser.client.get("/launch", {"iss": browser.ehr.fhir_base, "launch": "replayed"})
    assert replayed["Location"].startswith(f"{site_settings.DEMO_EHR_URL}/oauth/authorize?")
    assert opened not in replayed["Location"]
    assert state_of(replayed) != state_of(first)


def test_a_state_is_good_for_one_answer(launching: Launching) -> None:
    state = launching.begin()
    launching.finish(state)
    assert launching.finish(state).status_code == 403  # the cookie is gone
    assert len(launching.hospital.posted) == 1


# --- Stale patient -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("patient", [None, "", "../Patient/p1", "p1?_format=json", SCRIPT])
def test_without_a_patient_of_its_own_a_launch_opens_none_not_even_the_last_one(
    launching: Launching, patient: str | None
) -> None:
    launching.run()
    stopped = launching.run(patient=patient)
    assert stopped.status_code == 400
    assert "No patient was handed over" in text(stopped)
    assert SmartSession.objects.count() == 1


# --- Script ------------------------------------------------------------------------------------------------------
def test_a_script_in_a_name_is_shown_and_not_run(browser: Browser) -> None:
    patient = chart_store().read("Patient", "ada")
    name = {"use": "official", "family": SCRIPT, "given": ["Ada"]}
    chart_store().update({**patient, "name": [name]}, author="a test")
    page = browser.look("ada")
    assert SCRIPT not in page
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in page


def test_a_script_in_the_launch_context_is_not_even_shown(launching: Launching) -> None:
    launching.run(intent=SCRIPT, tenant=SCRIPT, fhirContext=[{"reference": SCRIPT}], encounter=SCRIPT)
    grant = SmartSession.objects.get().grant
    assert (grant.also_open, grant.encounter_id) == ((), None)


def test_a_style_that_the_ehr_offers_is_never_fetched(launching: Launching) -> None:
    launching.run(smart_style_url=f"{launching.hospital.url}/fhir/style.json")
    assert not [path for path in launching.hospital.asked if "style" in path]


# --- Answers that are too much or no answer ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "answer"),
    [(200, {"error": "invalid_grant", "error_description": SCRIPT}), (400, {}), (200, []), (200, "x"), (302, {})],
    ids=str,
)
def test_an_answer_that_is_no_token_opens_nothing_and_is_not_shown(
    launching: Launching, status: int, answer: Any
) -> None:
    state = launching.begin()
    launching.hospital.pages["/token"] = (status, answer)
    stopped = launching.client.get("/callback", {"state": state, "code": "c"})
    assert stopped.status_code in {403, 502}
    assert SCRIPT not in text(stopped)
    assert not SmartSession.objects.exists()


@pytest.mark.parametrize("token_type", ["mac", "DPoP", ""])
def test_a_token_of_another_type_is_not_used(launching: Launching, token_type: str) -> None:
    assert launching.run(token_type=token_type).status_code == 403


def test_an_oversized_answer_is_cut_off(launching: Launching, settings: Settings) -> None:
    settings.FHIR_MAX_BYTES = 5000
    cache.clear()
    launching.hospital.configuration["x"] = "x" * 10_000
    refused = launching.client.get("/launch", {"iss": launching.ehr.fhir_base, "launch": "ticket"})
    assert refused.status_code == 502


def test_a_private_address_is_reached_only_where_the_ehrs_row_says_so(launching: Launching) -> None:
    Ehr.objects.filter(pk=launching.ehr.pk).update(private_network=False)
    refused = launching.client.get("/launch", {"iss": launching.ehr.fhir_base, "launch": "ticket"})
    assert refused.status_code == 502
    assert launching.hospital.asked == []


# --- Logs --------------------------------------------------------------------------------------------------------
def test_no_ticket_state_code_or_token_is_logged_when_a_launch_is_refused(
    launching: Launching, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    state = launching.begin()
    launching.finish(state, claims={"aud": "another-app"}, access_token="very-secret", patient="p-secret")
    launching.client.get("/callback", {"state": state, "code": "secret-code"})
    assert caplog.records
    for secret in (state, "ticket", "secret"):
        assert secret not in caplog.text
