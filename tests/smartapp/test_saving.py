"""The button that saves an answer: once, by who saw it, for the patient who is still the same."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client

from cds.models import Assessment, EnabledService, WriteBack
from smartapp.demo_ehr import hooks
from smartapp.demo_ehr.store import chart_store
from smartapp.models import Grant
from tests.smartapp.conftest import Browser
from tests.smartapp.pages import change_grant, charted, form_of, text


def test_saving_writes_to_chart_and_archive_and_says_so(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    saved = browser.client.post(action, form)
    assert saved.status_code == 303
    page = text(browser.client.get(saved["Location"]))
    (written,) = charted("RiskAssessment")
    assert f"RiskAssessment/{written['id']}" in page
    assert page.count("<strong>Saved</strong>") == 2
    assert "/save/" not in page


def test_pressing_twice_writes_once(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    for _ in range(2):
        assert browser.client.post(action, form).status_code == 303
    assert len(charted("RiskAssessment")) == 1
    assert len(charted("Observation")) == 1


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_a_form_that_is_not_from_our_page_saves_nothing(browser: Browser, token: str) -> None:
    action, form = form_of(browser.look("ada"))
    assert browser.client.post(action, form | {"token": token}).status_code == 403
    assert not WriteBack.objects.exists()


def test_the_token_of_another_session_saves_nothing(browser: Browser) -> None:
    _, form = form_of(browser.look("ada"))
    action, _ = form_of(browser.look("ada"))
    assert browser.client.post(action, form).status_code == 403


def test_a_form_of_ours_without_the_sessions_cookie_saves_nothing(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    assert Client(SERVER_NAME="localhost").post(action, form).status_code == 403
    assert not WriteBack.objects.exists()


def test_a_patient_who_changed_meanwhile_is_not_written_to(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    patient = chart_store().read("Patient", "ada")
    chart_store().update({**patient, "birthDate": "1999-01-01"}, author="a test")
    stopped = browser.client.post(action, form)
    assert stopped.status_code == 409
    assert "the patient&#x27;s data has changed" in text(stopped)
    assert not WriteBack.objects.exists()


def test_an_ehr_that_refuses_is_said_so_and_can_be_asked_again(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    change_grant(token=hooks.bearer("ada", "patient/*.rs"))
    page = text(browser.client.get(browser.client.post(action, form)["Location"]))
    assert "<strong>Not saved</strong>" in page
    assert "no risk assessment, no observation, no document, no diagnostic report (it answered 403, forbidden)" in page
    assert "the answer stays on the card and on this page" in page
    assert "Try to save again" in page


def test_without_the_scope_to_write_there_is_no_button(browser: Browser) -> None:
    address = browser.open("ada")
    change_grant(scopes=("launch", "patient/*.rs"))
    page = text(browser.client.get(address))
    assert "/save/" not in page
    assert "did not give Bedside permission to save" in page


def test_where_saving_is_switched_off_there_is_no_button(browser: Browser) -> None:
    EnabledService.objects.update(write_back=EnabledService.WriteBackPolicy.OFF)
    page = browser.look("ada")
    assert "/save/" not in page
    assert "switched off" in page


def test_an_answer_that_is_not_there_yet_cannot_be_saved(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    Assessment.objects.update(status=Assessment.Status.QUEUED, result=None)
    stopped = browser.client.post(action, form)
    assert stopped.status_code == 409
    assert "there is no answer yet" in text(stopped)


def test_saving_by_address_alone_is_not_possible(browser: Browser) -> None:
    action, _ = form_of(browser.look("ada"))
    assert browser.client.get(action).status_code == 405


def test_an_unknown_assessment_cannot_be_saved(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    other = action.replace(action.rpartition("/")[2], str(uuid4()))
    assert browser.client.post(other, form).status_code == 403


def test_a_grant_shows_nothing_of_itself() -> None:
    assert "secret" not in repr(Grant(token="secret", scopes=(), patient_id="secret", actor=""))
