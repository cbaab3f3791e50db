"""Restricted charts are opened for a reason only; a patient who opted out and a merged record are not opened at all."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cds.models import Assessment, AuditEntry, Ehr
from cds.opt_out import opt_out
from smartapp.demo_ehr.store import chart_store
from smartapp.glass import REASONS
from tests.smartapp.conftest import Browser

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
VERY_RESTRICTED = {"security": [{"system": CONFIDENTIALITY, "code": "V"}]}


def change_patient(patient_id: str, **changed: Any) -> None:
    chart_store().update(chart_store().read("Patient", patient_id) | changed, author="a test")


def text(response: Any) -> str:
    return str(response.content.decode())


def give(browser: Browser, address: str, reason: str, *, token: str | None = None) -> Any:
    """Sends the form of the restricted chart's page."""
    (own,) = re.findall(r'name="token" value="(\w+)"', text(browser.client.get(address)))
    return browser.client.post(f"{address}reason", {"reason": reason, "token": token or own})


def entries(action: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action))


# --- Restricted
@pytest.fixture
def restricted(browser: Browser) -> str:
    """The address of Ada's page, whose chart is restricted."""
    change_patient("ada", meta=VERY_RESTRICTED)
    return browser.open("ada")


def test_a_restricted_chart_asks_for_a_reason_and_shows_nothing(browser: Browser, restricted: str) -> None:
    asked = browser.client.get(restricted)
    assert asked.status_code == 403
    assert "This chart is restricted" in text(asked)
    assert "Lindqvist" not in text(asked)
    assert "in 100" not in text(asked)
    assert not Assessment.objects.exists()


def test_that_somebody_came_to_it_is_audited(browser: Browser, restricted: str) -> None:
    browser.client.get(restricted)
    (entry,) = entries("restricted")
    assert entry.patient_key == browser.ehr.pseudonym("ada")


def test_a_reason_opens_it_and_is_audited_with_who_and_why(browser: Browser, restricted: str) -> None:
    assert give(browser, restricted, "treating").status_code == 303
    assert "Lindqvist" in text(browser.client.get(restricted))
    (entry,) = entries("break-glass")
    assert entry.detail == {"reason": "treating"}
    assert entry.patient_key == browser.ehr.pseudonym("ada")
    assert entry.actor


@pytest.mark.parametrize("reason", ["", "curiosity", "treating "])
def test_what_is_no_reason_opens_nothing(browser: Browser, restricted: str, reason: str) -> None:
    give(browser, restricted, reason)
    assert "This chart is restricted" in text(browser.client.get(restricted))
    assert entries("break-glass") == []


def test_a_form_that_is_not_ours_opens_nothing(browser: Browser, restricted: str) -> None:
    assert give(browser, restricted, "treating", token="0" * 64).status_code == 403
    assert entries("break-glass") == []


def test_the_reason_counts_for_one_session_only(browser: Browser, restricted: str) -> None:
    give(browser, restricted, "emergency")
    another = browser.open("ada")
    assert "This chart is restricted" in text(browser.client.get(another))


def test_another_browser_cannot_give_the_reason(browser: Browser, restricted: str) -> None:
    stranger = Browser(browser.ehr)
    assert stranger.client.post(f"{restricted}reason", {"reason": "treating", "token": "x"}).status_code == 403
    assert entries("break-glass") == []


def test_the_parts_of_a_page_that_was_not_opened_stay_closed(browser: Browser) -> None:
    """The address of an answer may be known from before: from a card, or from a session that is over."""
    change_patient("ada", meta=VERY_RESTRICTED)
    first = browser.open("ada")
    give(browser, first, "treating")
    browser.client.get(first)
    answer = Assessment.objects.get(service_id="diabetes-risk").id
    second = browser.open("ada")
    for part in (f"answers/{answer}", f"plots/{answer}/waterfall/narrow/light.svg"):
        assert browser.client.get(first + part).status_code == 200
        assert browser.client.get(second + part).status_code == 403
    assert browser.client.post(f"{second}save/{answer}").status_code == 403


def test_the_form_offers_each_reason(browser: Browser, restricted: str) -> None:
    page = text(browser.client.get(restricted))
    assert [words for words in REASONS.values() if words not in page] == []


def test_another_chart_is_not_asked_about(browser: Browser) -> None:
    assert "Why do you open it?" not in browser.look("bruno")


# --- Opted out, merged, protected
def test_a_patient_who_opted_out_is_not_shown_and_that_somebody_came_is_audited(browser: Browser) -> None:
    opt_out(browser.ehr, "ada", actor="a")
    page = browser.client.get(browser.open("ada"))
    assert page.status_code == 403
    assert "does not take part" in text(page)
    assert "Lindqvist" not in text(page)
    assert not Assessment.objects.exists()
    assert entries("opted-out")[0].patient_key == browser.ehr.pseudonym("ada")


def test_who_opts_out_while_the_page_is_open_is_left_alone_from_then_on(browser: Browser) -> None:
    address = browser.open("ada")
    browser.client.get(address)
    opt_out(browser.ehr, "ada", actor="a")
    assert (
        browser.client.get(f"{address}answers/{Assessment.objects.get(service_id='diabetes-risk').id}").status_code
        == 403
    )


def test_a_merged_record_says_so_and_is_not_followed(browser: Browser) -> None:
    change_patient("ada", link=[{"type": "replaced-by", "other": {"reference": "Patient/dara"}}])
    page = browser.client.get(browser.open("ada"))
    assert page.status_code == 409
    assert "merged into another one" in text(page)
    assert not Assessment.objects.exists()


def test_a_protected_diagnosis_leaves_the_question_open_without_naming_it(browser: Browser) -> None:
    condition = {
        "resourceType": "Condition",
        "subject": {"reference": "Patient/ada"},
        "code": {"text": "Something private"},
        "meta": VERY_RESTRICTED,
    }
    chart_store().create(condition, author="a test")
    page = browser.look("ada")
    assert "is protected and is not used here" in page
    assert not [word for word in ("Something private", "in 100", "conditions") if word in page]


def test_where_the_hospital_allows_the_label_the_page_answers(browser: Browser) -> None:
    Ehr.objects.update(labels_read="R,V")
    condition = {"resourceType": "Condition", "subject": {"reference": "Patient/ada"}, "code": {"text": "x"}}
    chart_store().create(condition | {"meta": VERY_RESTRICTED}, author="a test")
    assert "in 100" in browser.look("ada")
