"""A session opens for the browser that made it, while it lasts, at an EHR that is switched on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from cds.errors import Refused
from cds.models import AuditEntry, Ehr
from smartapp.demo_ehr.grants import grant_of
from smartapp.demo_ehr.outcomes import FhirError
from smartapp.launch.tokens import renew
from smartapp.models import SmartSession
from smartapp.tasks import close_sessions
from tests.smartapp.conftest import Browser


def ended(response: Any) -> bool:
    return response.status_code == 403 and "This session has ended" in response.content.decode()


def test_another_browser_does_not_get_in_by_the_address(browser: Browser) -> None:
    assert ended(Client(SERVER_NAME="localhost").get(browser.open("ada")))


def test_the_cookie_of_one_session_does_not_open_another(browser: Browser) -> None:
    ada, bruno = browser.open("ada"), browser.open("bruno")
    cookies = {name: value.value for name, value in browser.client.cookies.items() if "session" in name}
    names = {path: f"__Host-bedside-session-{path.split('/')[2].replace('-', '')}" for path in (ada, bruno)}
    browser.client.cookies[names[bruno]] = cookies[names[ada]]
    assert ended(browser.client.get(bruno))


def test_after_its_time_a_session_is_over(browser: Browser) -> None:
    address = browser.open("ada")
    SmartSession.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert ended(browser.client.get(address))


def test_a_session_ends_when_its_ehr_is_switched_off(browser: Browser) -> None:
    address = browser.open("ada")
    Ehr.objects.update(active=False)
    assert ended(browser.client.get(address))


def test_an_address_that_was_never_a_session_says_the_same_inside_the_frame(browser: Browser) -> None:
    answer = browser.client.get(f"/app/{uuid4()}/")
    assert ended(answer)
    assert f"frame-ancestors {browser.ehr.frame_ancestors}" in answer["Content-Security-Policy"]


# --- Left alone --------------------------------------------------------------------------------------------------
def test_after_a_quarter_of_an_hour_unused_a_session_is_closed_and_its_token_given_back(browser: Browser) -> None:
    address = browser.open("ada")
    token = SmartSession.objects.get().grant.token
    SmartSession.objects.update(seen_at=timezone.now() - timedelta(minutes=15))
    closed = browser.client.get(address)
    assert closed.status_code == 403
    assert "Nobody has used it for 15 minutes" in closed.content.decode()
    assert not SmartSession.objects.exists()
    with pytest.raises(FhirError, match="revoked"):
        grant_of(token)


@pytest.mark.parametrize("why", ["idle", "expired"])
def test_one_that_nobody_comes_back_to_is_ended_by_a_task_and_all_its_tokens_given_back(
    browser: Browser, why: str
) -> None:
    Ehr.objects.update(refresh="offline_access")
    browser.open("ada")
    grant, past = SmartSession.objects.get().grant, timezone.now() - timedelta(minutes=15)
    SmartSession.objects.update(**{"seen_at" if why == "idle" else "expires_at": past})
    browser.open("bruno")
    close_sessions()
    assert [session.grant.patient_id for session in SmartSession.objects.all()] == ["bruno"]
    assert AuditEntry.objects.get(action="logout").detail == {"why": why}
    with pytest.raises(FhirError, match="revoked"):
        grant_of(grant.token)
    with pytest.raises(Refused):
        renew(str(grant.refresh_token), ehr=browser.ehr)


def test_looking_keeps_it_open(browser: Browser) -> None:
    address = browser.open("ada")
    SmartSession.objects.update(seen_at=timezone.now() - timedelta(minutes=14))
    browser.client.get(address)
    assert SmartSession.objects.get().seen_at > timezone.now() - timedelta(minutes=1)


def test_another_browser_cannot_close_an_idle_session(browser: Browser) -> None:
    address = browser.open("ada")
    SmartSession.objects.update(seen_at=timezone.now() - timedelta(minutes=16))
    assert ended(Client(SERVER_NAME="localhost").get(address))
    assert SmartSession.objects.exists()
