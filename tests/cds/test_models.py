"""Who sees what of a service at an EHR."""

from __future__ import annotations

import pytest

from cds.models import EnabledService

Stage = EnabledService.Stage
USERS = [f"user {number}" for number in range(2000)]


def canary(percent: int, service_id: str = "diabetes-risk") -> set[str]:
    here = EnabledService(service_id=service_id, stage=Stage.CANARY, canary_percent=percent)
    return {user for user in USERS if here.shown_to(user)}


@pytest.mark.parametrize(("stage", "shown"), [(Stage.OFF, False), (Stage.SILENT, False), (Stage.LIVE, True)])
def test_outside_of_a_canary_everyone_is_treated_alike(stage: str, shown: bool) -> None:
    here = EnabledService(service_id="diabetes-risk", stage=stage, canary_percent=50)
    assert {here.shown_to(user) for user in ("", *USERS)} == {shown}


@pytest.mark.parametrize("percent", [0, 10, 50, 100])
def test_a_canary_reaches_about_its_share(percent: int) -> None:
    assert len(canary(percent)) / len(USERS) == pytest.approx(percent / 100, abs=0.025)


def test_a_larger_share_keeps_the_users_of_the_smaller() -> None:
    assert canary(10) < canary(30) < canary(100)


def test_two_services_draw_different_users() -> None:
    assert canary(50) != canary(50, "metformin-renal")


def test_a_call_without_a_user_is_outside_of_a_canary() -> None:
    assert not EnabledService(service_id="diabetes-risk", stage=Stage.CANARY, canary_percent=100).shown_to("")
