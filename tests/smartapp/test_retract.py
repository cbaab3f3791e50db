"""The page on which a clinician takes back what they saved."""

from __future__ import annotations

import pytest

from cds.models import Assessment, Ehr, Suppression, WriteBack
from smartapp.demo_ehr import hooks
from smartapp.demo_ehr.store import chart_store
from tests.smartapp.conftest import Browser
from tests.smartapp.pages import change_grant, charted, form_of, text


def retracted(browser: Browser, page: str) -> str:
    action, form = form_of(page, "retract")
    done = browser.client.post(action, form | {"reason": "facts"})
    assert done.status_code == 303, text(done)
    return text(browser.client.get(done["Location"]))


def test_what_was_saved_is_retracted_and_the_page_and_the_chart_say_so(browser: Browser, saved: str) -> None:
    page = retracted(browser, saved)
    assert {one["status"] for one in (*charted("RiskAssessment"), *charted("Observation"))} == {"entered-in-error"}
    assert "<strong>Retracted</strong>" in page
    assert "a value or a diagnosis that it rests on is wrong" in page
    assert "<strong>marked as entered in error</strong>" in page
    assert "The report is still in the archive" in page
    assert "/save/" not in page
    assert "/retract/" not in page


def test_before_anything_was_saved_there_is_nothing_to_retract(browser: Browser) -> None:
    assert "/retract/" not in browser.look("ada")


def test_without_a_reason_nothing_is_retracted(browser: Browser, saved: str) -> None:
    action, form = form_of(saved, "retract")
    stopped = browser.client.post(action, form)
    assert stopped.status_code == 409
    assert "Nothing was retracted" in text(stopped)
    assert {one["status"] for one in charted("RiskAssessment")} == {"final"}


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_a_form_that_is_not_from_our_page_retracts_nothing(browser: Browser, saved: str, token: str) -> None:
    action, _ = form_of(saved, "retract")
    assert browser.client.post(action, {"token": token, "reason": "facts"}).status_code == 409
    assert not Assessment.objects.exclude(retracted_at=None).exists()


def test_a_colleagues_result_has_no_button_and_cannot_be_retracted_by_its_address(browser: Browser, saved: str) -> None:
    action, form = form_of(saved, "retract")
    change_grant(user="Practitioner/somebody-else")
    page = text(browser.client.get(action.partition("retract")[0]))
    assert "/retract/" not in page
    assert "A colleague saved it" in page
    assert browser.client.post(action, form | {"reason": "facts"}).status_code == 409


def test_what_the_ehr_did_not_take_is_pressed_again(browser: Browser, saved: str) -> None:
    Ehr.objects.update(system_client_id="")
    action, form = form_of(saved, "retract")
    token = hooks.bearer("ada", "launch patient/*.cruds")
    change_grant(token="stale")
    browser.client.post(action, form | {"reason": "facts"})
    change_grant(token=token)
    page = text(browser.client.get(action.partition("retract")[0]))
    assert "still shows it.</strong> The session at the EHR is over." in page
    assert "Mark it in the chart now" in page
    assert "<strong>marked as entered in error</strong>" in retracted(browser, page)


def test_what_waited_is_not_saved_and_the_page_says_that_nothing_was_written(browser: Browser) -> None:
    action, _ = form_of(browser.look("ada"))
    WriteBack.objects.all().delete()
    about = Assessment.objects.get(service_id="diabetes-risk")
    for target in WriteBack.Target:
        WriteBack.objects.create(assessment=about, target=target, status=WriteBack.Status.WAITING)
    page = text(browser.client.get(action.partition("save")[0]))
    after = retracted(browser, page)
    assert "It was not written into the chart." in after
    assert charted("RiskAssessment") == []


def test_no_card_offers_a_retracted_answer_and_it_is_counted_why(browser: Browser) -> None:
    (card,) = hooks.call_hook("ada", "diabetes-risk").json()["cards"]
    action, form = form_of(browser.look("ada", card["links"][0]["appContext"]))
    retracted(browser, text(browser.client.get(browser.client.post(action, form)["Location"])))
    # What was written into the chart is no fact, so the next call asks the same.
    assert chart_store().read("RiskAssessment", charted("RiskAssessment")[0]["id"])
    assert hooks.call_hook("ada", "diabetes-risk").json()["cards"] == []
    assert Suppression.objects.get().reason == "retracted"
