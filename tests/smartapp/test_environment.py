"""What an administrator decides shows on an open page: a test system is bannered, a stopped service writes no more."""

from __future__ import annotations

import pytest

from cds.models import Ehr, WriteBack
from cds.switch import known_services, switch_off
from tests.smartapp.conftest import Browser
from tests.smartapp.pages import form_of


@pytest.mark.parametrize(("environment", "bannered"), [("test", True), ("production", False)])
def test_the_page_says_whether_this_is_a_test_system(
    browser: Browser, hospital: Ehr, environment: str, bannered: bool
) -> None:
    hospital.environment = environment
    hospital.save()
    assert ("nothing here is for care" in browser.look("bruno")) == bannered


def test_a_page_that_was_open_when_its_service_was_stopped_saves_nothing(browser: Browser, hospital: Ehr) -> None:
    action, form = form_of(browser.look("ada"))
    switch_off(hospital, known_services(hospital), by="root", actor="a", reason="Wrong units")
    assert browser.client.post(action, form).status_code == 403
    assert not WriteBack.objects.exists()
