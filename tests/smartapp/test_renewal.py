"""A session outlives its token where the EHR agreed to it, and a refresh token is never used twice."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.utils import timezone

from cds.models import AuditEntry, Ehr
from smartapp.demo_ehr import grants, oauth
from smartapp.models import Grant, SmartSession
from smartapp.renewal import renew_token
from smartapp.stops import Stopped
from tests.smartapp.conftest import Browser
from tests.smartapp.stranger import Hospital


def text(response: Any) -> str:
    return str(response.content.decode())


def grant() -> Grant:
    return SmartSession.objects.get().grant


def change_grant(**changed: Any) -> None:
    SmartSession.objects.update(encrypted_grant=msgspec.json.encode(msgspec.structs.replace(grant(), **changed)))


@pytest.fixture(params=["online_access", "offline_access"])
def agreed(browser: Browser, request: pytest.FixtureRequest) -> Browser:
    """An EHR whose row asks for refresh tokens."""
    Ehr.objects.update(refresh=request.param)
    return browser


def test_by_default_there_is_no_refresh_token_and_a_stale_one_ends_the_session(browser: Browser) -> None:
    address = browser.open("ada")
    assert grant().refresh_token is None
    change_grant(token="stale")
    ended = browser.client.get(address)
    assert ended.status_code == 403
    assert "This session has ended" in text(ended)


def test_a_refresh_token_that_nobody_agreed_to_is_dropped(browser: Browser) -> None:
    """Some EHRs send one without its scope, and some send one that the EHR's row does not want."""
    Ehr.objects.update(refresh="offline_access")
    begun = browser.launch("ada")
    Ehr.objects.update(refresh="")
    browser.callback(browser.authorize(begun))
    assert grant().refresh_token is None


def test_where_it_is_agreed_a_stale_token_is_renewed_and_the_page_is_there(agreed: Browser) -> None:
    address = agreed.open("ada")
    first = grant()
    change_grant(token="stale")
    assert "Ada Lindqvist" in text(agreed.client.get(address))
    second = grant()
    assert second.token not in {"stale", first.token}
    assert second.refresh_token not in {None, first.refresh_token}
    assert second.patient_id == "ada"


def test_such_a_session_outlives_its_token_but_not_the_working_day(agreed: Browser) -> None:
    agreed.open("ada")
    session = SmartSession.objects.get()
    assert timedelta(hours=7) < session.expires_at - timezone.now() <= timedelta(hours=8)


def test_a_renewed_token_saves_too(agreed: Browser) -> None:
    page = text(agreed.client.get(agreed.open("ada")))
    change_grant(token="stale")
    action, form = form_of(page)
    assert agreed.client.post(action, form).status_code == 303


def form_of(page: str) -> tuple[str, dict[str, str]]:
    """The address of the save button, and what the form carries."""
    (action,) = re.findall(r'<form method="post" action="([^"]+/save/[^"]+)"', page)
    return action, dict(
        re.findall(r'name="(token|seen)" value="([0-9a-f]{64})"', page.partition(action)[2].partition("</form>")[0])
    )


def test_a_renewal_that_fails_ends_the_session_and_is_not_tried_again(agreed: Browser) -> None:
    address = agreed.open("ada")
    change_grant(token="stale", refresh_token="forged")
    assert agreed.client.get(address).status_code == 403
    assert not SmartSession.objects.exists()
    assert AuditEntry.objects.get(action="logout").detail == {"why": "not renewed"}


def test_two_requests_at_once_use_the_refresh_token_once(agreed: Browser) -> None:
    """Used twice, the demo hospital ends the whole grant."""
    agreed.open("ada")
    change_grant(token="stale")
    same = [SmartSession.objects.select_related("ehr").get() for _ in range(2)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(renew_and_hang_up, same))
    assert same[0].grant.token == same[1].grant.token == grant().token
    assert grants.grant_of(grant().token).patient == "ada"


def renew_and_hang_up(session: SmartSession) -> None:
    try:
        renew_token(session)
    finally:
        connection.close()


def test_a_token_renewed_for_another_patient_ends_the_session(other_ehr: Ehr, stranger: Hospital) -> None:
    answer = {"access_token": "new", "token_type": "Bearer", "scope": "offline_access", "patient": "bruno"}
    stranger.pages["/token"] = (200, answer)
    held = Grant(token="stale", refresh_token="r", scopes=(), patient_id="ada", actor="a")
    session = SmartSession.objects.create(
        ehr=other_ehr, encrypted_grant=msgspec.json.encode(held), expires_at=timezone.now() + timedelta(hours=1)
    )
    with pytest.raises(Stopped):
        renew_token(session)
    assert not SmartSession.objects.exists()


def test_the_hospitals_rule_that_this_rests_on(agreed: Browser) -> None:
    """A refresh token used twice ends the grant there: else the test of two requests could not fail."""
    agreed.open("ada")
    spent = str(grant().refresh_token)
    form = {"grant_type": "refresh_token", "refresh_token": spent, "client_id": "bedside"}
    oauth.by_refresh(form, "")
    with pytest.raises(oauth.TokenError):
        oauth.by_refresh(form, "")
