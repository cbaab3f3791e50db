"""Closing forgets the session here and gives its tokens back there."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from cds.models import AuditEntry, Ehr
from smartapp.demo_ehr import grants
from smartapp.demo_ehr.outcomes import FhirError
from smartapp.models import SmartSession
from tests.smartapp.conftest import Browser


def text(response: Any) -> str:
    return str(response.content.decode())


def form_of(page: str) -> tuple[str, dict[str, str]]:
    action, token = re.findall(r'action="(/app/[^"]+/logout)"[^>]*>\s*<input[^>]*value="([0-9a-f]{64})"', page)[0]
    return action, {"token": token}


@pytest.mark.parametrize("refresh", ["", "offline_access"])
def test_the_session_is_over_and_the_token_no_longer_works(browser: Browser, refresh: str) -> None:
    Ehr.objects.update(refresh=refresh)
    address = browser.open("ada")
    token = SmartSession.objects.get().grant.token
    action, form = form_of(text(browser.client.get(address)))
    closed = browser.client.post(action, form)
    assert "was handed back" in text(closed)
    assert browser.client.get(address).status_code == 403
    assert not SmartSession.objects.exists()
    with pytest.raises(FhirError, match="revoked"):
        grants.grant_of(token)


def test_the_cookie_goes_with_it(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    (cookie,) = browser.client.post(action, form).cookies.values()
    assert cookie.key.startswith("__Host-bedside-session-")
    assert (cookie.value, cookie["max-age"]) == ("", 0)


def test_an_ehr_that_takes_nothing_back_is_said_so(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    Ehr.objects.update(client_id="unknown there")
    assert "Bedside has forgotten the access" in text(browser.client.post(action, form))
    assert not SmartSession.objects.exists()


def test_who_closed_is_in_the_audit_trail(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    browser.client.post(action, form)
    entry = AuditEntry.objects.get(action="logout")
    assert entry.patient_key == browser.ehr.pseudonym("ada")
    assert entry.detail == {"why": "asked"}


def test_nobody_else_can_close_it(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    assert Client(SERVER_NAME="localhost").post(action, form).status_code == 403
    assert browser.client.post(action, {"token": "0" * 64}).status_code == 403
    assert browser.client.get(action).status_code == 405
    assert SmartSession.objects.exists()


# --- What is written down of a stop ----------------------------------------------------------------------------------
def refusals() -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action="refusal"))


def test_who_closes_was_not_refused_anything(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    browser.client.post(action, form)
    assert refusals() == []


def test_a_refusal_in_a_session_names_who_and_whose(browser: Browser) -> None:
    action, _ = form_of(browser.look("ada"))
    session = SmartSession.objects.get()
    browser.client.post(action, {"token": "0" * 64})
    (entry,) = refusals()
    assert (entry.ehr, entry.actor, entry.subject) == (browser.ehr, session.grant.actor, str(session.id))
    assert entry.patient_key == browser.ehr.pseudonym("ada")
    assert entry.detail == {"status": 403, "reason": "FORM_OVER"}


def test_what_the_ehr_refused_is_written_down_with_the_session_too(browser: Browser) -> None:
    address = browser.open("ada")
    Ehr.objects.update(fhir_base="http://127.0.0.1:1/fhir")
    assert browser.client.get(address).status_code == 502
    (entry,) = refusals()
    assert (entry.ehr, entry.patient_key) == (browser.ehr, browser.ehr.pseudonym("ada"))


def test_who_has_not_proved_a_session_is_nobody(browser: Browser) -> None:
    address = browser.open("ada")
    assert Client(SERVER_NAME="localhost").get(address).status_code == 403
    (entry,) = refusals()
    assert (entry.actor, entry.patient_key, entry.subject) == ("unknown", "", "launch")
