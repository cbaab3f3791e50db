"""Two people lead a service up, in two browsers, wide and narrow."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from playwright.sync_api import expect

from cds.models import Ehr, EnabledService
from scoring import shelf
from tests.cds.assessed import UNKNOWN, assessed, by_model, complete, learnt
from tests.cds.shelves import MODEL, draft
from tests.jobs.at_the_admin import PASSWORD, chromium, looked_at, needs_chromium, signed_in

pytestmark = needs_chromium


@pytest.fixture
def silent(hospital: Ehr) -> EnabledService:
    """A hospital in which a service has been silent for two weeks, and two people who work there."""
    for name, role in (("Ina", "integrator"), ("Ada", "clinical approver")):
        user = User.objects.create_user(name, password=PASSWORD, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
    ehr = Ehr.objects.create(name="St. Elsewhere", fhir_base="https://elsewhere.example/fhir")
    here = EnabledService.objects.create(ehr=ehr, service_id="diabetes-risk")
    complete(here)
    assessed(here, *[UNKNOWN] * 12, seconds=2)
    assessed(here, *[by_model(0.01 + number / 50) for number in range(30)])
    learnt(here, _12=True, _20=False, _25=True, _2=True)
    return here


@pytest.mark.parametrize("width", [1280, 400])
def test_one_asks_another_one_decides(silent: EnabledService, width: int) -> None:
    refused: list[str] = []
    address = f"{settings.BASE_URL}/admin/cds/enabledservice/{silent.pk}/stage/"
    with chromium() as browser:
        ina = signed_in(browser, "Ina", width=width, refused=refused)
        ina.goto(address)
        expect(ina.get_by_text("Complete.")).to_be_visible()
        looked_at(ina, "stage")
        ina.get_by_role("link", name="How many alerts another threshold").click()
        ina.get_by_label("Alert from a probability").fill("20")
        ina.get_by_role("button", name="Count").click()
        expect(ina.get_by_role("heading", name="Who would be alerted on")).to_be_visible()
        looked_at(ina, "alerts")
        ina.get_by_label("Of whom").select_option("validation")
        ina.get_by_role("button", name="Count").click()
        expect(ina.get_by_text("100 patients a day")).to_be_visible()
        looked_at(ina, "alerts-validation")
        ina.goto(address)
        form = ina.locator("form", has=ina.get_by_role("heading", name="Ask for a step up"))
        form.get_by_label("Canary").check()
        form.get_by_label("Why").fill("The safety board agreed on 12 November")
        form.get_by_role("button", name="Ask").click()
        expect(ina.get_by_text("You asked, so somebody else decides")).to_be_visible()

        ada = signed_in(browser, "Ada", width=width, refused=refused)
        ada.goto(address)
        expect(ada.get_by_text("The safety board agreed")).to_be_visible()
        looked_at(ada, "stage-waits")
        ada.get_by_label("Why").first.fill("The alert rate is as expected")
        ada.get_by_role("button", name="Approve").click()
        expect(ada.get_by_text("the new stage counts from the next call on")).to_be_visible()
        expect(ada.get_by_text("Now canary, 10 % of the users")).to_be_visible()
        looked_at(ada, "stage-history")
    assert refused == []


@pytest.mark.parametrize("width", [1280, 400])
def test_a_live_threshold_is_changed_by_two(silent: EnabledService, width: int) -> None:
    EnabledService.objects.update(stage="live")
    refused: list[str] = []
    address = f"{settings.BASE_URL}/admin/cds/enabledservice/{silent.pk}/settings/"
    with chromium() as browser:
        ina = signed_in(browser, "Ina", width=width, refused=refused)
        ina.goto(address)
        ina.get_by_label("Name").fill("Northgate")
        ina.get_by_label("Reference").fill("Organization/northgate")
        ina.get_by_role("button", name="Add").click()
        ina.get_by_role("link", name="Northgate").click()
        ina.get_by_label("Switched off there").check()
        ina.get_by_label("Why").fill("Their laboratory reports other units")
        looked_at(ina, "facility")
        ina.get_by_role("button", name="Ask").click()
        expect(ina.get_by_text("Their laboratory reports other units (Ina)")).to_be_visible()
        ina.get_by_label("Threshold").fill("0.2")
        ina.get_by_label("Why").fill("Too many alerts on the wards")
        looked_at(ina, "settings")
        ina.get_by_role("button", name="Ask").click()
        expect(ina.get_by_text("You asked, so somebody else decides")).to_be_visible()

        ada = signed_in(browser, "Ada", width=width, refused=refused)
        ada.goto(address)
        expect(ada.get_by_text("20 % (then)")).to_be_visible()
        looked_at(ada, "settings-wait")
        ada.get_by_label("Why").first.fill("The wards confirm it")
        ada.get_by_role("button", name="Approve").click()
        expect(ada.get_by_text("it counts from the next call on").first).to_be_visible()
        looked_at(ada, "settings-history")
    assert refused == []


@pytest.mark.parametrize("width", [1280, 400])
def test_another_version_comes_into_use_and_goes_again(silent: EnabledService, width: int) -> None:
    shelf.forget()
    before, version = shelf.active_version(MODEL), draft()
    refused: list[str] = []
    address = f"{settings.BASE_URL}/admin/scoring/modelversion/{version.pk}/change/"
    with chromium() as browser:
        ina = signed_in(browser, "Ina", width=width, refused=refused)
        ina.goto(f"{settings.BASE_URL}/models/{MODEL}")
        ina.get_by_text("The 31 source attributes").click()
        expect(ina.get_by_text("Intended role in the decision")).to_be_visible()
        looked_at(ina, "model-card", context="main")
        ina.goto(address)
        ina.get_by_label("Why").fill("Better for people over 60")
        looked_at(ina, "version")
        ina.get_by_role("button", name="Ask").click()
        expect(ina.get_by_text("You asked, so somebody else decides")).to_be_visible()

        ada = signed_in(browser, "Ada", width=width, refused=refused)
        ada.goto(address)
        ada.get_by_label("Why").first.fill("The board agreed on 12 November")
        looked_at(ada, "version-waits")
        ada.get_by_role("button", name="Approve").click()
        expect(ada.get_by_text(f"{version.version} is in use from the next question on")).to_be_visible()
        ada.get_by_label("Why").fill("Alerts on everybody since this morning")
        ada.get_by_role("button", name=f"Roll back to {before} now").click()
        expect(ada.get_by_text(f"{before} is in use again")).to_be_visible()
        looked_at(ada, "version-history")
    assert refused == []
