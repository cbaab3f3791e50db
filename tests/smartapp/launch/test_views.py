"""The launch, step by step, against the demo hospital; each step is also tried with what an attacker would send."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from cds.models import Assessment, AuditEntry, Ehr
from smartapp.demo_ehr import hooks
from smartapp.demo_ehr.addresses import CLIENT_SECRET
from smartapp.models import Launch, SmartSession
from tests.smartapp.conftest import Browser
from tests.smartapp.stranger import Hospital


def query_of(response: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(response["Location"]).query).items()}


def text(response: Any) -> str:
    return str(response.content.decode())


# --- /launch -----------------------------------------------------------------------------------------------------
def test_a_launch_goes_to_the_ehrs_authorization_page_with_pkce_and_state(browser: Browser) -> None:
    begun = browser.launch("ada")
    asked = query_of(begun)
    assert begun["Location"].startswith(f"{settings.DEMO_EHR_URL}/oauth/authorize?")
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 43
    assert asked["aud"] == browser.ehr.fhir_base
    assert asked["redirect_uri"] == f"{settings.BASE_URL}/callback"
    assert {"launch", "openid", "fhirUser", "patient/Observation.rs"} <= set(asked["scope"].split())


def test_the_cookie_of_a_launch_works_in_a_frame_and_is_this_hosts_alone(browser: Browser) -> None:
    browser.launch("ada")
    (cookie,) = browser.client.cookies.values()
    printed = cookie.OutputString()
    assert printed.startswith("__Host-bedside-launch-")
    for attribute in ("Secure", "HttpOnly", "SameSite=None", "Partitioned", "Path=/"):
        assert attribute in printed
    assert "Domain" not in printed


def test_neither_state_nor_verifier_nor_ticket_stands_readable_in_the_database(browser: Browser) -> None:
    state = query_of(browser.launch("ada"))["state"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM smartapp_launch")
        stored = repr([bytes(value) if isinstance(value, memoryview) else value for value in cursor.fetchall()[0]])
    (row,) = Launch.objects.all()
    for secret in (state, bytes(row.verifier).decode(), bytes(row.launch).decode(), bytes(row.nonce).decode()):
        assert secret not in stored


def test_an_unregistered_ehr_is_never_contacted(browser: Browser, stranger: Hospital) -> None:
    refused = browser.launch("ada", iss=f"{stranger.url}/fhir")
    assert refused.status_code == 400
    assert stranger.asked == []
    assert not Launch.objects.exists()


def test_an_ehr_that_is_switched_off_is_unknown(browser: Browser) -> None:
    Ehr.objects.update(active=False)
    assert browser.launch("ada").status_code == 400


def test_one_trailing_slash_is_forgiven(browser: Browser) -> None:
    assert browser.launch("ada", iss=f"{browser.ehr.fhir_base}/").status_code == 302
    assert browser.launch("ada", iss=f"{browser.ehr.fhir_base}//").status_code == 400


@pytest.mark.parametrize("query", ["", "iss=x", "launch=x", "iss={0}&iss={0}&launch=x", "iss={0}&launch=x&launch=y"])
def test_each_parameter_must_come_once(browser: Browser, query: str) -> None:
    assert browser.client.get(f"/launch?{query.format(browser.ehr.fhir_base)}").status_code == 400


def test_an_ehr_that_does_not_answer_is_said_so(browser: Browser) -> None:
    Ehr.objects.update(fhir_base="http://127.0.0.1:1/fhir")
    stopped = browser.launch("ada", iss="http://127.0.0.1:1/fhir")
    assert stopped.status_code == 502
    assert "did not answer" in text(stopped)


# --- /callback ---------------------------------------------------------------------------------------------------
def test_after_the_callback_the_address_is_clean_and_the_session_has_its_own_cookie(browser: Browser) -> None:
    query = browser.authorize(browser.launch("ada"))
    finished = browser.callback(query)
    session = SmartSession.objects.get()
    assert finished["Location"] == f"/app/{session.id}/"
    printed = finished.cookies[f"__Host-bedside-session-{session.id.hex}"].OutputString()
    assert "Partitioned" in printed
    assert session.expires_at <= timezone.now() + timedelta(seconds=900)


def test_a_code_comes_back_once(browser: Browser) -> None:
    query = browser.authorize(browser.launch("ada"))
    browser.callback(query)
    assert browser.callback(query).status_code in {400, 403}
    assert SmartSession.objects.count() == 1


def test_a_used_state_is_over_even_for_the_browser_that_still_has_the_cookie(browser: Browser) -> None:
    query = browser.authorize(browser.launch("ada"))
    Launch.objects.update(used_at=timezone.now())
    assert "This launch is over" in text(browser.callback(query))


def test_a_launch_of_eleven_minutes_ago_is_over(browser: Browser) -> None:
    query = browser.authorize(browser.launch("ada"))
    Launch.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    assert "This launch is over" in text(browser.callback(query))


def test_another_browser_is_refused_and_offered_a_window_of_its_own(browser: Browser) -> None:
    query = browser.authorize(browser.launch("ada"))
    refused = Client(SERVER_NAME="localhost").get("/callback", query)
    assert refused.status_code == 403
    assert "Open Bedside in a new window" in text(refused)
    assert "/launch?iss=" in text(refused)
    assert Launch.objects.get().used_at is None


def test_a_cookie_with_another_secret_is_refused(browser: Browser) -> None:
    query = browser.authorize(browser.launch("ada"))
    (name,) = browser.client.cookies
    browser.client.cookies[name] = "guessed"
    assert "This launch is over" in text(browser.callback(query))


def test_what_the_ehr_says_about_an_error_is_never_shown(browser: Browser) -> None:
    state = query_of(browser.launch("ada"))["state"]
    said = "<script>alert('Ada Lindqvist')</script>"
    refused = browser.callback({"error": "access_denied", "error_description": said, "state": state})
    assert refused.status_code == 403
    assert "alert" not in text(refused)
    assert "did not give access" in text(refused)
    assert Launch.objects.get().used_at is not None


def test_a_code_with_another_verifier_gets_no_session(browser: Browser) -> None:
    query = browser.authorize(browser.launch("ada"))
    row = Launch.objects.get()
    row.verifier = b"v" * 64
    row.save()
    assert browser.callback(query).status_code == 403
    assert not SmartSession.objects.exists()


def test_an_id_token_of_another_launch_gets_no_session(browser: Browser) -> None:
    query = browser.authorize(browser.launch("ada"))
    row = Launch.objects.get()
    row.nonce = b"another"
    row.save()
    assert "identity could not be confirmed" in text(browser.callback(query))
    assert not SmartSession.objects.exists()


def test_an_answer_from_another_issuer_is_refused(browser: Browser) -> None:
    query = browser.authorize(browser.launch("ada")) | {"iss": "https://elsewhere.example.org"}
    assert browser.callback(query).status_code == 403
    assert not SmartSession.objects.exists()


def test_the_session_keeps_token_and_patient_encrypted(browser: Browser) -> None:
    browser.open("ada")
    token = SmartSession.objects.get().grant.token
    with connection.cursor() as cursor:
        cursor.execute("SELECT encrypted_grant FROM smartapp_smartsession")
        stored = bytes(cursor.fetchone()[0])
    assert token.encode() not in stored
    assert b"patient_id" not in stored


def test_a_launch_is_in_the_audit_trail_without_the_patients_id(browser: Browser) -> None:
    browser.open("ada")
    entry = AuditEntry.objects.get(action="launch")
    assert entry.patient_key == browser.ehr.pseudonym("ada")
    assert entry.actor == browser.ehr.pseudonym("Practitioner/dr-okafor")
    assert not re.search(r"\bada\b", repr(vars(entry)), re.IGNORECASE)  # as a word: a hash may hold any three letters


def test_two_patients_in_two_tabs_do_not_mix(browser: Browser) -> None:
    first, second = browser.launch("ada"), browser.launch("bruno")
    ada = browser.callback(browser.authorize(first))["Location"]
    bruno = browser.callback(browser.authorize(second))["Location"]
    assert ada != bruno
    patients = {str(session.id): session.grant.patient_id for session in SmartSession.objects.all()}
    assert patients[ada.split("/")[2]] == "ada"
    assert patients[bruno.split("/")[2]] == "bruno"


# --- Kinds of client ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "row",
    [
        {"client_kind": "symmetric", "client_secret": CLIENT_SECRET.encode()},
        {"client_kind": "asymmetric", "client_algorithm": "ES384"},
        {"client_kind": "asymmetric", "client_algorithm": "RS384"},
    ],
    ids=lambda row: "-".join(value for value in row.values() if isinstance(value, str)),
)
def test_a_confidential_client_is_let_in(browser: Browser, row: dict[str, Any]) -> None:
    Ehr.objects.update(**row)
    assert browser.open("ada").startswith("/app/")


def test_a_wrong_secret_is_not(browser: Browser) -> None:
    Ehr.objects.update(client_kind="symmetric", client_secret=b"guessed")
    refused = browser.callback(browser.authorize(browser.launch("ada")))
    assert refused.status_code == 403
    assert "did not give access" in text(refused)


def test_an_ehr_without_a_client_id_cannot_be_launched_from(browser: Browser) -> None:
    Ehr.objects.update(client_id="")
    assert browser.launch("ada").status_code == 502


def test_a_token_end_point_that_fails_is_a_way_to_try_again(other_ehr: Ehr, stranger: Hospital) -> None:
    client = Client(SERVER_NAME="localhost")
    state = query_of(client.get("/launch", {"iss": other_ehr.fhir_base, "launch": "ticket"}))["state"]
    stranger.pages["/token"] = (503, {})
    stopped = client.get("/callback", {"state": state, "code": "c"})
    assert stopped.status_code == 502
    assert "did not answer" in text(stopped)


# --- Standalone --------------------------------------------------------------------------------------------------
@pytest.fixture
def standalone(browser: Browser) -> Browser:
    Ehr.objects.update(standalone=True)
    return browser


def test_our_page_lists_the_ehrs_that_allow_it_and_no_other(standalone: Browser, other_ehr: Ehr) -> None:
    page = text(standalone.client.get("/launch/standalone"))
    assert f'href="/launch/standalone/{standalone.ehr.pk}"' in page
    assert "Other hospital" not in page
    assert standalone.client.get(f"/launch/standalone/{other_ehr.pk}").status_code == 400


def test_the_patient_is_picked_at_the_ehr(standalone: Browser) -> None:
    begun = standalone.client.get(f"/launch/standalone/{standalone.ehr.pk}")
    asked = query_of(begun)
    assert "launch" not in asked
    assert "launch/patient" in asked["scope"].split()
    with requests.Session() as hospital:
        picker = hospital.get(begun["Location"], timeout=10)
        fields = dict(re.findall(r'name="(csrfmiddlewaretoken|choice)" value="([^"]+)"', picker.text))
        form = fields | {"patient": "farah", "user": "nurse-ito"}
        address = f"{settings.DEMO_EHR_URL}/oauth/authorize/choice"
        picked = hospital.post(address, form, headers={"Referer": begun["Location"]}, allow_redirects=False, timeout=10)
    finished = standalone.callback(query_of({"Location": picked.headers["Location"]}))
    assert "Farah Haddad" in text(standalone.client.get(finished["Location"]))


def test_a_standalone_launch_whose_cookie_is_lost_starts_over_at_our_page(standalone: Browser) -> None:
    state = query_of(standalone.client.get(f"/launch/standalone/{standalone.ehr.pk}"))["state"]
    refused = Client(SERVER_NAME="localhost").get("/callback", {"state": state, "code": "c"})
    assert 'href="/launch/standalone"' in text(refused)


def test_an_ehr_that_is_switched_off_cannot_be_opened_from_our_page(standalone: Browser) -> None:
    Ehr.objects.update(active=False)
    assert "No record system may be opened from here" in text(standalone.client.get("/launch/standalone"))
    assert standalone.client.get(f"/launch/standalone/{standalone.ehr.pk}").status_code == 400


# --- The assessment that a card named ----------------------------------------------------------------------------
def assessment_of(patient_id: str, browser: Browser) -> Assessment:
    hooks.call_hook(patient_id, "diabetes-risk").raise_for_status()
    return Assessment.objects.get(patient_key=browser.ehr.pseudonym(patient_id))


def test_a_cards_link_shows_the_assessment_behind_the_card(browser: Browser) -> None:
    assessment = assessment_of("ada", browser)
    browser.open("ada", f"assessment={assessment.id}")
    assert SmartSession.objects.get().shown == assessment


def test_another_patients_assessment_is_not_shown(browser: Browser) -> None:
    assessment = assessment_of("ada", browser)
    browser.open("bruno", f"assessment={assessment.id}")
    assert SmartSession.objects.get().shown is None


@pytest.mark.parametrize("context", ["assessment=x", '{"rid": 1}', "assessment=00000000-0000-0000-0000-000000000000"])
def test_a_context_that_is_not_ours_is_ignored(browser: Browser, context: str) -> None:
    browser.open("ada", context)
    assert SmartSession.objects.get().shown is None


# --- Headers, logs -----------------------------------------------------------------------------------------------
def test_only_the_launching_ehr_may_frame_the_pages(browser: Browser) -> None:
    page = browser.client.get(browser.open("ada"))
    policy = page["Content-Security-Policy"]
    assert f"frame-ancestors {browser.ehr.frame_ancestors}" in policy
    assert "'unsafe" not in policy
    assert "X-Frame-Options" not in page
    assert page["Cache-Control"] == "no-store"
    assert page["Referrer-Policy"] == "no-referrer"


def test_nothing_of_patient_or_token_is_logged(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="smartapp")
    caplog.set_level("INFO")
    browser.look("ada")
    token = SmartSession.objects.get().grant.token
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("django.db"))
    assert token not in ours
    assert "Lindqvist" not in ours
