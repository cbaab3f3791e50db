"""The button with which a clinician does not want saved after all what has not arrived."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from cds.models import WriteBack
from tests.smartapp.conftest import Browser
from tests.smartapp.pages import change_grant, charted, form_of, text

BUTTON = "Do not save it after all"


@pytest.fixture
def half(browser: Browser) -> str:
    """The page of what stands in Ada's chart as if the rest had not gone through."""
    action, form = form_of(browser.look("ada"))
    browser.client.post(action, form)
    chart = WriteBack.objects.filter(target="chart")
    chart.update(status=WriteBack.Status.WAITING, form="", failure="The session at the EHR is over.")
    return text(browser.client.get(action.partition("save")[0]))


def test_what_was_half_saved_is_taken_back_and_the_page_says_so(browser: Browser, half: str) -> None:
    assert BUTTON in half
    done = browser.client.post(*form_of(half, "call-off"))
    assert done.status_code == 303, text(done)
    page = text(browser.client.get(done["Location"]))
    assert "<strong>Taken back.</strong>" in page
    assert "marked there as entered in error" in page
    assert "saving it was called off" in page
    assert BUTTON not in page
    assert "/confirm/" not in page
    assert {one["status"] for one in (*charted("RiskAssessment"), *charted("Observation"))} == {"entered-in-error"}


def test_what_the_ehr_did_not_take_back_now_is_pressed_again(browser: Browser, half: str) -> None:
    WriteBack.objects.filter(target="chart").update(status=WriteBack.Status.DECLINED)
    about = WriteBack.objects.get(target="chart").assessment
    WriteBack.objects.create(assessment=about, target="chart", aim=WriteBack.Aim.UNDO, status=WriteBack.Status.WAITING)
    page = text(browser.client.get(form_of(half, "call-off")[0].partition("call-off")[0]))
    assert "<strong>Half of it still stands at Demo hospital.</strong>" in page
    done = browser.client.post(*form_of(page, "call-off"))
    assert "<strong>Taken back.</strong>" in text(browser.client.get(done["Location"]))


def test_a_colleague_has_no_such_button_and_cannot_by_its_address(browser: Browser, half: str) -> None:
    action, form = form_of(half, "call-off")
    change_grant(user="Practitioner/somebody-else")
    assert BUTTON not in text(browser.client.get(action.partition("call-off")[0]))
    assert browser.client.post(action, form).status_code == 409


def test_a_form_that_is_not_from_our_page_and_what_is_being_sent_call_nothing_off(browser: Browser, half: str) -> None:
    action, form = form_of(half, "call-off")
    assert browser.client.post(action, {"token": "0" * 64}).status_code == 409
    WriteBack.objects.update(held_until=timezone.now() + timedelta(minutes=1))
    stopped = browser.client.post(action, form)
    assert (stopped.status_code, "It is just being sent" in text(stopped)) == (409, True)
