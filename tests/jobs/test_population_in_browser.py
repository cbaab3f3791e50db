"""A population run in a browser, wide and narrow: begun, watched while a worker is at it, its worklist read."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from playwright.sync_api import expect
from pytest_django import Settings

from cds.models import Ehr
from smartapp.demo_ehr.cast import read_cast
from tests.cds.population.conftest import asked, exported, of
from tests.jobs.at_the_admin import PASSWORD, chromium, looked_at, needs_chromium, signed_in

pytestmark = needs_chromium


@pytest.fixture
def waiting(hospital: Ehr, tmp_path: Path, settings: Settings) -> None:
    settings.BULK_FOLDER = tmp_path
    (tmp_path / "incoming").mkdir()
    exported(tmp_path / "incoming" / "november", read_cast())
    user = User.objects.create_user("Cleo", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="clinical approver"))


@pytest.mark.parametrize("width", [1280, 400])
def test_a_population_is_asked_about_and_its_worklist_read(waiting: None, width: int) -> None:
    refused: list[str] = []
    with chromium() as browser:
        page = signed_in(browser, "Cleo", width=width, refused=refused)
        page.get_by_role("link", name="Population runs").first.click()
        page.get_by_role("link", name="Ask about a population").click()
        page.get_by_label("Question").select_option("diabetes-risk")
        page.get_by_label("EHR").select_option(label="Demo hospital")
        looked_at(page, "population-begin")
        page.get_by_role("button", name="Begin").click()
        expect(page.get_by_text("6 of 6 people have their answer")).to_be_visible()
        page.reload()
        looked_at(page, "population-run")
        page.get_by_role("link", name="One-page report").click()
        looked_at(page, "population-report")
        page.go_back()
        page.get_by_role("link", name="Worklist").click()
        looked_at(page, "population-worklist")
        page.get_by_role("link", name="ada").click()
        expect(page.get_by_text("Starting point").first).to_be_visible()
        looked_at(page, "population-person")
    assert refused == []


@pytest.mark.parametrize("width", [1280, 400])
def test_who_has_a_newer_answer_is_seen_with_it(waiting: None, hospital: Ehr, tmp_path: Path, width: int) -> None:
    refused: list[str] = []
    older = asked(tmp_path / "incoming" / "november", hospital)
    asked(exported(tmp_path / "incoming" / "changed", of("ada")), hospital)
    with chromium() as browser:
        page = signed_in(browser, "Cleo", width=width, refused=refused)
        page.goto(f"{settings.BASE_URL}/admin/cds/populationrun/{older.pk}/worklist/")
        looked_at(page, "population-worklist-overtaken")
        page.get_by_role("link", name="Show only them").click()
        expect(page.get_by_role("link", name="Newer answer of")).to_be_visible()
        looked_at(page, "population-overtaken")
        page.get_by_role("link", name="ada").click()
        expect(page.get_by_text("This answer is overtaken.")).to_be_visible()
        looked_at(page, "population-person-overtaken")
    assert refused == []
