"""An experiment in a browser, wide and narrow: written, approved, read."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import expect

from cds.models import Ehr, EnabledService
from tests.cds.experiments.test_report import enrol
from tests.cds.experiments.trial import running
from tests.jobs.at_the_admin import PASSWORD, chromium, looked_at, needs_chromium, signed_in

pytestmark = needs_chromium


@pytest.fixture
def here(hospital: Ehr) -> EnabledService:
    user = User.objects.create_user("Ina", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="integrator"))
    return EnabledService.objects.get(ehr=hospital, service_id="diabetes-risk")


@pytest.mark.parametrize("width", [1280, 400])
def test_a_protocol_is_written_and_its_size_worked_out(here: EnabledService, width: int) -> None:
    refused: list[str] = []
    with chromium() as browser:
        page = signed_in(browser, "Ina", width=width, refused=refused)
        page.goto(f"{page.url}cds/enabledservice/{here.pk}/experiment/")
        page.get_by_label("Question").fill("Would a lower threshold alert on many more?")
        page.get_by_label("from a probability of").fill("5")
        page.get_by_label("Expected share").fill("10")
        page.get_by_label("Smallest difference").fill("5")
        page.get_by_label("Why").fill("The board has asked")
        page.get_by_role("button", name="Work out the size").click()
        expect(page.get_by_text("patients of both ways together")).to_be_visible()
        looked_at(page, "experiment-asked")
    assert refused == []


@pytest.mark.parametrize("width", [1280, 400])
def test_a_result_is_read(here: EnabledService, width: int) -> None:
    experiment = running(here, baseline=0.7, difference=-0.5, looks=2)
    enrol(experiment, experiment.protocol.size, tested=(8, 1))
    refused: list[str] = []
    with chromium() as browser:
        page = signed_in(browser, "Ina", width=width, refused=refused)
        page.goto(f"{page.url}cds/experiment/{experiment.pk}/change/")
        expect(page.get_by_text("this is a difference")).to_be_visible()
        looked_at(page, "experiment-result")
    assert refused == []
