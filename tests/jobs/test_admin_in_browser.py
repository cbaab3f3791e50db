"""An administrator's day in a browser: how things stand, connect, test, switch off; with a strict CSP, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from cds.models import Assessment, Ehr
from hooks.models import HookCall
from tests.jobs.at_the_admin import PASSWORD, chromium, looked_at, needs_chromium, signed_in

pytestmark = needs_chromium


@pytest.fixture(params=[1280, 400])
def page(hospital: Ehr, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Whatever the CSP refuses fails the test."""
    _a_bad_morning(hospital)
    User.objects.create_superuser("root", password=PASSWORD)
    refused: list[str] = []
    with chromium() as browser:
        yield signed_in(browser, "root", width=request.param, refused=refused)
    assert refused == []


def _a_bad_morning(hospital: Ehr) -> None:
    """Something slow and something that failed."""
    for milliseconds in (40.0, 60.0, 900.0):
        HookCall.objects.create(ehr=hospital, service_id="diabetes-risk", status=200, milliseconds=milliseconds)
    given = {"service_id": "diabetes-risk", "service_version": "1", "threshold": 0.1, "patient_key": "k"}
    Assessment.objects.create(ehr=hospital, fingerprint="f", snapshot=b"x", status="failed", **given)


def test_an_administrator_connects_tests_and_stops(page: Page, hospital: Ehr) -> None:
    page.goto(f"{settings.BASE_URL}/admin/")
    expect(page.get_by_text("not tested")).to_be_visible()
    expect(page.get_by_text("900 ms")).to_be_visible()

    page.get_by_role("link", name="Demo hospital").click()
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_role("heading", name="Every step went well")).to_be_visible()
    looked_at(page, "connection")

    page.goto(f"{settings.BASE_URL}/admin/cds/ehr/connect/")
    page.get_by_label("FHIR base").fill(hospital.fhir_base)
    page.get_by_label("Vendor").select_option("Epic")
    page.get_by_label("private ones").check()
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_role("heading", name="What will and won't work")).to_be_visible()
    looked_at(page, "connect")
    page.get_by_label("Name:", exact=True).fill("Another")
    page.get_by_role("button", name="Keep, inactive and silent").click()
    expect(page.get_by_text("Demo hospital has this FHIR base already")).to_be_visible()
    looked_at(page, "refused")

    page.goto(f"{settings.BASE_URL}/admin/cds/ehr/{hospital.pk}/change/")
    looked_at(page, "ehr")
    page.get_by_role("link", name="Switch off").first.click()
    page.get_by_label("Why").fill("Alerts on every chart since this morning")
    looked_at(page, "switch-off")
    page.get_by_role("button", name="Switch off now").click()
    expect(page.get_by_text("Alerts on every chart since this morning").first).to_be_visible()
    looked_at(page, "index")
    expect(page.get_by_role("link", name="switch off")).to_have_count(0)
