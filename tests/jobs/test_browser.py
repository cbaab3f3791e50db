"""The main job as the clinician does it: in a browser, with third-party cookies blocked, in a frame of another site."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Browser, FrameLocator, Page, expect, sync_playwright

from cds.models import Ehr
from tests.settings import SHARED_HOME

CHROMIUM = shutil.which("chromium")
expect.set_options(timeout=30_000)  # ms; how fast this machine is today is no part of the test
WIDTHS = {"wide": (1280, 900), "narrow": (400, 800)}
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")


@pytest.fixture
def browser(hospital: Ehr) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        flags = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--test-third-party-cookie-phaseout",
        ]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(params=list(WIDTHS))
def page(browser: Browser, request: pytest.FixtureRequest) -> Page:
    width, height = WIDTHS[request.param]
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(30_000)
    return page


def open_chart(page: Page, patient: str) -> None:
    page.goto(f"{settings.DEMO_EHR_URL}/chart/{patient}")


def open_app(page: Page) -> FrameLocator:
    """From the first card's link into the frame."""
    page.get_by_role("link", name="See why").or_(page.get_by_role("button", name="See why")).first.click()
    return page.frame_locator("iframe")


def keep(page: Page, name: str) -> None:
    """For the README and for whoever wants to look."""
    folder = SHARED_HOME / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=True)


def test_the_clinician_sees_the_card_and_why_and_saves(page: Page) -> None:
    open_chart(page, "ada")
    expect(page.get_by_text("No HbA1c on record. About 15 in 100")).to_be_visible()
    app = open_app(page)
    expect(app.get_by_role("heading", name="Ada Lindqvist")).to_be_visible()
    expect(app.get_by_text("15 in 100").first).to_be_visible()
    plot = app.get_by_alt_text(re.compile("Glucose 121.* raises it"))
    expect(plot).to_be_visible()
    # By keyboard: Chromium loses a click that must first scroll a frame of another site.
    app.get_by_role("button", name="Save to chart").press("Enter")
    expect(app.get_by_text(re.compile(r"^Saved")).first).to_be_visible()
    expect(app.get_by_role("button", name="Save to chart")).to_have_count(0)
    keep(page, f"chart-{page.viewport_size['width'] if page.viewport_size else ''}")
    page.get_by_text("Reload results").press("Enter")
    expect(page.get_by_text(re.compile("14.9 ?%")).first).to_be_visible()


def test_a_prescription_is_warned_about_before_it_is_signed(page: Page) -> None:
    open_chart(page, "dara")
    page.get_by_role("button", name="Prescribe metformin").click()
    expect(page.get_by_text("Not signed yet")).to_be_visible()
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_role("button", name="Sign anyway")).to_be_visible()
    expect(page.get_by_role("heading", name="Taking metformin with eGFR 38")).to_be_visible()
    app = open_app(page)
    expect(app.get_by_role("heading", name="Metformin and kidney function")).to_be_visible()
    keep(page, f"prescription-{page.viewport_size['width'] if page.viewport_size else ''}")
    page.get_by_role("button", name="Sign anyway").press("Enter")
    expect(page.get_by_text("is in the chart")).to_be_visible()


def test_the_clinician_reports_a_wrong_answer_and_closes(page: Page) -> None:
    open_chart(page, "dara")
    page.get_by_role("link", name="Open Bedside").click()
    app = page.frame_locator("iframe")
    check = app.get_by_role("article", name="Diabetes that nobody has found yet")
    check.get_by_text("This looks wrong").press("Enter")
    check.get_by_label("Something that matters was not considered").press("Space")
    check.get_by_role("button", name="Report").press("Enter")
    expect(check.get_by_text("Reported")).to_be_visible()
    app.get_by_role("button", name="Close Bedside").press("Enter")
    expect(app.get_by_text("was handed back")).to_be_visible()


def test_two_patients_in_two_tabs_do_not_mix(browser: Browser) -> None:
    context = browser.new_context()
    tabs = {patient: context.new_page() for patient in ("ada", "farah")}
    for patient, tab in tabs.items():
        open_chart(tab, patient)
        expect(open_app(tab).get_by_text("born").first).to_be_visible()
    for patient, name in (("ada", "Ada Lindqvist"), ("farah", "Farah Haddad")):
        frame = tabs[patient].frame_locator("iframe")
        frame.locator("body").evaluate("() => location.reload()")
        expect(frame.get_by_role("heading", name=name)).to_be_visible()


@pytest.mark.parametrize("patient", ["ada", "bruno", "chen", "dara", "emil", "farah"])
def test_every_page_is_accessible_and_fits_400_pixels(browser: Browser, patient: str) -> None:
    page = browser.new_page(viewport={"width": 400, "height": 800})
    page.goto(f"{settings.DEMO_EHR_URL}/chart/{patient}/launch")
    expect(page.get_by_text("About this answer").first).to_be_visible()
    keep(page, f"{patient}-400")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
