"""The clinician's page, as the six people's charts make it look."""

from __future__ import annotations

from tests.smartapp.conftest import Browser


def test_ada_is_shown_with_her_probability(browser: Browser) -> None:
    page = browser.look("ada")
    assert "No HbA1c on record." in page
    assert " in 100" in page
