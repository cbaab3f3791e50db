"""A clinician can say that an answer looks wrong, once or again, and sees that it was heard."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from cds.feedback import WRONG
from cds.models import AuditEntry, Feedback
from smartapp.wrong import LONGEST_COMMENT
from tests.smartapp.conftest import Browser

SAID = "Her glucose was taken after breakfast."


def text(response: Any) -> str:
    return str(response.content.decode())


def form_of(page: str) -> tuple[str, dict[str, str]]:
    """Of the diabetes check; each check has its own."""
    form = page.partition('id="wrong-diabetes-risk"')[2].partition("</form>")[0]
    (action,) = re.findall(r'action="([^"]+)"', form)
    return action, dict(re.findall(r'name="(token)" value="([0-9a-f]{64})"', form))


def test_the_form_offers_every_reason(browser: Browser) -> None:
    page = browser.look("ada")
    assert set(re.findall(r'name="reason" value="([^"]+)"', page)) == set(WRONG)


def test_a_report_is_kept_encrypted_audited_and_shown(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    sent = browser.client.post(action, form | {"reason": "facts", "comment": SAID})
    assert sent.status_code == 303
    row = Feedback.objects.get()
    assert (row.outcome, row.reason, bytes(row.comment).decode()) == ("wrong", "facts", SAID)
    assert row.actor == browser.ehr.pseudonym("Practitioner/dr-okafor")
    entry = AuditEntry.objects.get(action="report-wrong")
    assert entry.patient_key == browser.ehr.pseudonym("ada")
    assert SAID not in repr(vars(entry))
    page = text(browser.client.get(sent["Location"]))
    assert "<strong>Reported</strong>: A value or a diagnosis is wrong" in page
    assert SAID not in page


def test_pressing_twice_reports_once(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    for _ in range(2):
        assert browser.client.post(action, form | {"reason": "number", "comment": SAID}).status_code == 303
    assert Feedback.objects.count() == 1
    assert AuditEntry.objects.filter(action="report-wrong").count() == 1


def test_also_an_answer_without_a_number_can_be_wrong(browser: Browser) -> None:
    action, form = form_of(browser.look("dara"))
    assert browser.client.post(action, form | {"reason": "facts"}).status_code == 303
    assert Feedback.objects.get().comment is None


@pytest.mark.parametrize(
    "sent", [{}, {"reason": "made up"}, {"reason": "other", "comment": "x" * (LONGEST_COMMENT + 1)}], ids=str
)
def test_what_the_form_does_not_offer_is_not_kept(browser: Browser, sent: dict[str, str]) -> None:
    action, form = form_of(browser.look("ada"))
    refused = browser.client.post(action, form | sent)
    assert refused.status_code == 400
    assert "Nothing was reported" in text(refused)
    assert not Feedback.objects.exists()


def test_only_who_saw_the_page_can_report(browser: Browser) -> None:
    action, form = form_of(browser.look("ada"))
    said = {"reason": "other"}
    assert Client(SERVER_NAME="localhost").post(action, form | said).status_code == 403
    assert browser.client.post(action, {"token": "0" * 64} | said).status_code == 403
    assert not Feedback.objects.exists()


def test_nothing_that_was_said_is_logged(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    action, form = form_of(browser.look("ada"))
    browser.client.post(action, form | {"reason": "other", "comment": SAID})
    assert SAID not in caplog.text
