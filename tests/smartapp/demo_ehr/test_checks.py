"""A deployment must not play hospital."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from smartapp.demo_ehr.checks import demo_ehr_is_off


@pytest.mark.parametrize(("on", "ids"), [(True, ["demo_ehr.E001"]), (False, [])])
def test_a_deployment_with_the_demo_ehr_is_refused(settings: Settings, on: bool, ids: list[str]) -> None:
    settings.DEMO_EHR = on
    assert [message.id for message in demo_ehr_is_off(None)] == ids
