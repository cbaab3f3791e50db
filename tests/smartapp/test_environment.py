"""A test system is bannered on the clinician's page; production is not."""

from __future__ import annotations

import pytest

from cds.models import Ehr
from tests.smartapp.conftest import Browser


@pytest.mark.parametrize(("environment", "bannered"), [("test", True), ("production", False)])
def test_the_page_says_whether_this_is_a_test_system(
    browser: Browser, hospital: Ehr, environment: str, bannered: bool
) -> None:
    hospital.environment = environment
    hospital.save()
    assert ("nothing here is for care" in browser.look("bruno")) == bannered
