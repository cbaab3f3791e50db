"""The button with which a clinician says that they have read a saved result and agree with it."""

from __future__ import annotations

import re
from pathlib import Path

import pydicom
import pytest
from pytest_django import Settings

from cds.models import WriteBack
from smartapp.demo_ehr import hooks
from smartapp.demo_ehr.store import chart_store
from tests.smartapp.conftest import Browser
from tests.smartapp.pages import change_grant, form_of, text

AGREE = "I have read this result and agree with it"


@pytest.fixture(autouse=True)
def archive(tmp_path: Path, settings: Settings) -> Path:
    settings.DICOM_FOLDER = tmp_path / "archive"
    return tmp_path / "archive" / "test"  # of a test system


def test_before_it_is_saved_there_is_no_such_button(browser: Browser) -> None:
    assert AGREE not in browser.look("ada")


def test_a_press_confirms_it_in_chart_and_archive_and_the_page_says_so_once(
    browser: Browser, saved: str, archive: Path
) -> None:
    assert AGREE in saved
    assert re.search(r"that .*Okafor has confirmed it", saved)
    action, form = form_of(saved, "confirm")
    done = browser.client.post(action, form)
    assert done.status_code == 303, text(done)
    page = text(browser.client.get(done["Location"]))
    assert page.count("<strong>Confirmed</strong>") == 2
    assert "/confirm/" not in page
    flags = [pydicom.dcmread(path).VerificationFlag for path in archive.iterdir()]
    assert sorted(flags) == ["UNVERIFIED", "UNVERIFIED", "VERIFIED", "VERIFIED"]
    assert browser.client.post(action, form).status_code == 303  # the back button
    assert len(list(archive.iterdir())) == 4
    verified = [one for one in chart_store().all("Provenance") if "activity" in one]
    assert len(verified) == 1


def test_who_may_only_read_is_told_so_and_has_no_button(browser: Browser, saved: str) -> None:
    action, form = form_of(saved, "confirm")
    change_grant(scopes=("patient/*.rs",))
    page = text(browser.client.get(action.partition("confirm")[0]))
    assert "lets you read only" in page
    assert AGREE not in page
    stopped = browser.client.post(action, form)
    assert (stopped.status_code, "Nothing was confirmed" in text(stopped)) == (409, True)


def test_a_session_that_has_ended_confirms_nothing_and_says_so(browser: Browser, saved: str) -> None:
    action, form = form_of(saved, "confirm")
    change_grant(token="stale")
    stopped = browser.client.post(action, form)
    assert (stopped.status_code, "This session has ended" in text(stopped)) == (403, True)
    assert not WriteBack.objects.filter(aim=WriteBack.Aim.CONFIRM).exists()


def test_where_the_token_opens_less_than_was_granted_it_is_said_what_stands_unconfirmed(
    browser: Browser, saved: str
) -> None:
    action, form = form_of(saved, "confirm")
    change_grant(token=hooks.bearer("ada", "launch patient/Patient.rs"))
    assert browser.client.post(action, form).status_code == 303
    row = WriteBack.objects.get(aim=WriteBack.Aim.CONFIRM, target="chart")
    assert row.status == WriteBack.Status.DECLINED
    assert "There it stands unconfirmed" in row.failure


@pytest.mark.parametrize("changed", [{"token": "0" * 64}, {"seen": "0" * 64}, {"token": ""}])
def test_a_form_that_is_not_from_our_page_confirms_nothing(
    browser: Browser, saved: str, changed: dict[str, str]
) -> None:
    action, form = form_of(saved, "confirm")
    assert browser.client.post(action, form | changed).status_code == 409
    assert not WriteBack.objects.filter(aim=WriteBack.Aim.CONFIRM).exists()


def test_a_colleague_reads_that_it_is_confirmed_and_by_a_colleague(browser: Browser, saved: str) -> None:
    action, form = form_of(saved, "confirm")
    browser.client.post(action, form)
    WriteBack.objects.filter(aim=WriteBack.Aim.CONFIRM, target="chart").update(status=WriteBack.Status.WAITING)
    change_grant(user="Practitioner/somebody-else")
    page = text(browser.client.get(action.partition("confirm")[0]))
    assert "A colleague has confirmed it." in page
    assert "/confirm/" not in page
