"""A browser at the admin: signed in by password, watched for what the CSP refuses, looked at wide and narrow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.settings import SHARED_HOME

CHROMIUM = shutil.which("chromium")
PASSWORD = "open sesame"
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Rows are made before it starts: its event loop shuts the database out."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def signed_in(browser: Browser, username: str, *, width: int, refused: list[str]) -> Page:
    """A window of its own at the admin's first page; `refused` gets what the CSP refuses."""

    def listen(message: ConsoleMessage) -> None:
        """What axe and the screenshot inject comes from no address."""
        if "Content Security Policy" in message.text and message.location["url"]:
            refused.append(message.text)

    page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
    page.set_default_timeout(30_000)
    page.on("console", listen)
    page.goto(f"{settings.BASE_URL}/admin/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


def looked_at(page: Page, name: str, *, context: str = "#content") -> None:
    """Kept for whoever wants to look; accessible, and no wider than the window."""
    folder = SHARED_HOME / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    width = page.viewport_size["width"] if page.viewport_size else 0
    page.screenshot(path=folder / f"admin-{name}-{width}.png", full_page=True)
    found = Axe().run(page, context=context)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
