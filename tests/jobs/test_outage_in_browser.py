"""The database goes away while a clinician has the page open: the frame says so in words, and afterwards it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.core.cache import caches
from django.db import OperationalError
from django.db.backends.signals import connection_created
from playwright.sync_api import FrameLocator, Page, expect

from cds.models import Ehr
from tests.jobs.at_the_admin import chromium, needs_chromium
from tests.settings import SHARED_HOME

WIDTHS = [1280, 400]
expect.set_options(timeout=30_000)  # ms; how fast this machine is today is no part of the test
pytestmark = needs_chromium


@contextmanager
def database_down() -> Iterator[None]:
    """Whoever connects is refused, as by a server that is gone."""

    def refuse(connection: Any, **_: Any) -> None:
        connection.close()
        raise OperationalError("the server is gone")

    connection_created.connect(refuse)
    try:
        yield
    finally:
        connection_created.disconnect(refuse)


@contextmanager
def chart(width: int) -> Iterator[Page]:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(30_000)
        page.goto(f"{settings.DEMO_EHR_URL}/chart/ada")
        yield page


def opened(page: Page) -> FrameLocator:
    page.get_by_role("link", name="Open Bedside").click()
    return page.frame_locator("iframe")


def again(frame: FrameLocator) -> None:
    frame.locator("body").evaluate("() => location.reload()")


def seen(page: Page, name: str) -> None:
    """Kept for whoever wants to look."""
    folder = SHARED_HOME / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}-{page.viewport_size['width'] if page.viewport_size else 0}.png")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_frame_says_that_the_database_is_down_and_works_again_afterwards(hospital: Ehr, width: int) -> None:
    with chart(width) as page:
        frame = opened(page)
        expect(frame.get_by_role("heading", name="Ada Lindqvist")).to_be_visible()
        with database_down():
            again(frame)
            expect(frame.get_by_role("heading", name="Bedside is not available just now")).to_be_visible()
            expect(frame.get_by_text("Ada Lindqvist")).to_have_count(0)
            seen(page, "outage")
            assert Axe().run(page.frames[-1]).violations_count == 0
        again(frame)
        expect(frame.get_by_role("heading", name="Ada Lindqvist")).to_be_visible()


def test_a_process_that_has_shown_no_page_yet_lets_nobody_frame_it(hospital: Ehr) -> None:
    caches["process"].clear()
    with chart(WIDTHS[0]) as page, database_down():
        frame = opened(page)
        expect(frame.locator("body")).to_contain_text("refused to connect")  # the browser's words
        seen(page, "outage-unknown-frame")
