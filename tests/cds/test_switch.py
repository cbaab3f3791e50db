"""Stages: up by two people, down by one and at once, with who and why, and with correct answers afterwards."""

from __future__ import annotations

import pytest
import requests
from django.db import IntegrityError, transaction

from cds import registry
from cds.approval import Person
from cds.errors import BadInput
from cds.models import Assessment, AuditEntry, Ehr, EnabledService, StageChange
from cds.switch import approve, ask, hush, known_services, lower, next_steps, refuse, switch_off, withdraw
from smartapp.demo_ehr import hooks as emr
from tests.cds.assessed import complete

SERVICE = "diabetes-risk"
WHY = "Alerts on every chart since this morning"


def stop(ehr: Ehr, *services: str, reason: str = WHY) -> list[str]:
    return switch_off(ehr, services or known_services(ehr), by="root", actor="a", reason=reason)


def discovered(ehr: Ehr) -> set[str]:
    url = f"{emr.endpoint(SERVICE).rpartition('/')[0]}"
    answer = requests.get(url, headers={"Authorization": f"Bearer {emr.sign(url)}"}, timeout=30)
    assert answer.status_code == 200
    return {service["id"] for service in answer.json()["services"]}


def test_the_next_call_is_answered_without_cards_and_without_scoring(hospital: Ehr) -> None:
    body = emr.hook_request("ada", next(one for one in emr.services() if one["id"] == SERVICE))
    stop(hospital, SERVICE)  # the EHR has not read discovery again
    url = emr.endpoint(SERVICE)
    answer = requests.post(url, json=body, headers={"Authorization": f"Bearer {emr.sign(url)}"}, timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"cards": []})
    assert not Assessment.objects.exists()


def test_discovery_no_longer_offers_it_to_this_ehr(hospital: Ehr) -> None:
    assert SERVICE in discovered(hospital)
    stop(hospital, SERVICE)
    assert SERVICE not in discovered(hospital)


def test_everything_can_be_stopped_at_once(hospital: Ehr) -> None:
    EnabledService.objects.filter(ehr=hospital, service_id=SERVICE).delete()  # one that nobody has set up is silent
    assert set(stop(hospital)) == {service.id for service in registry.all_services()}
    assert discovered(hospital) == set()


def test_the_other_services_and_the_other_hospitals_go_on(hospital: Ehr) -> None:
    other = Ehr.objects.create(name="Other", fhir_base="https://other.example/fhir")
    EnabledService.objects.create(ehr=other, service_id=SERVICE, stage="live")
    stop(hospital, SERVICE)
    assert EnabledService.objects.get(ehr=other).stage == "live"


def test_who_and_why_are_kept_and_audited(hospital: Ehr) -> None:
    stop(hospital, SERVICE)
    row = EnabledService.objects.get(ehr=hospital, service_id=SERVICE)
    assert (row.stage, row.off_by, row.off_reason) == ("off", "root", WHY)
    entry = AuditEntry.objects.get(action="switch-off")
    assert (entry.actor, entry.subject, entry.detail["reason"]) == ("a", SERVICE, WHY)


def test_the_first_reason_stays(hospital: Ehr) -> None:
    stop(hospital, SERVICE)
    assert stop(hospital, SERVICE, reason="Somebody pressed it again") == []
    assert EnabledService.objects.get(ehr=hospital, service_id=SERVICE).off_reason == WHY


@pytest.mark.parametrize("reason", ["", "   ", "x", " a  b "])
def test_without_a_reason_nothing_is_stopped(hospital: Ehr, reason: str) -> None:
    with pytest.raises(BadInput):
        stop(hospital, SERVICE, reason=reason)
    assert EnabledService.objects.get(ehr=hospital, service_id=SERVICE).stage == "live"


# --- Up ----------------------------------------------------------------------------------------------------------
ANN = Person(name="Ann", key="a", approves=True)
BO = Person(name="Bo", key="b", approves=True)
CY = Person(name="Cy", key="c")
NOT_YET = "Our scorecard of the pilot ward is in the minutes of the board."


@pytest.fixture
def here(db: None) -> EnabledService:
    """At a hospital where patients are cared for, and where nobody is shown anything yet."""
    ehr = Ehr.objects.create(name="St. Elsewhere", fhir_base="https://elsewhere.example/fhir")
    return EnabledService.objects.create(ehr=ehr, service_id=SERVICE)


def stage(here: EnabledService) -> str:
    here.refresh_from_db()
    return here.stage


def raised(here: EnabledService, to: str, percent: int = 0) -> StageChange:
    here.refresh_from_db()
    change = ask(here, to=to, percent=percent, by=CY, why="The board agreed")
    approve(change, by=ANN, why="I agree", exception=NOT_YET)
    here.refresh_from_db()
    return change


def test_what_one_person_asks_for_another_one_makes(here: EnabledService) -> None:
    change = ask(here, to="canary", percent=10, by=CY, why="The board agreed")
    assert stage(here) == "silent"
    approve(change, by=ANN, why="So do I", exception=NOT_YET)
    assert (stage(here), here.canary_percent) == ("canary", 10)
    change.refresh_from_db()
    assert (change.asked_by, change.why, change.decided_by, change.decision) == (
        *("Cy", "The board agreed"),
        *("Ann", "So do I"),
    )
    assert change.exception == NOT_YET


def test_nobody_decides_on_what_they_asked_for(here: EnabledService) -> None:
    change = ask(here, to="canary", percent=10, by=ANN, why="The board agreed")
    with pytest.raises(BadInput, match="asked for this yourself"):
        approve(change, by=ANN, why="So do I", exception=NOT_YET)
    with pytest.raises(BadInput, match="asked for this yourself"):
        refuse(change, by=ANN, why="Not yet")
    assert stage(here) == "silent"


def test_who_decides_has_the_role(here: EnabledService) -> None:
    change = ask(here, to="canary", percent=10, by=ANN, why="The board agreed")
    with pytest.raises(BadInput, match="clinical approver"):
        approve(change, by=CY, why="So do I", exception=NOT_YET)
    assert stage(here) == "silent"


def test_the_table_itself_wants_two_people(here: EnabledService) -> None:
    change = ask(here, to="canary", percent=10, by=ANN, why="The board agreed")
    for key in ("a", ""):
        with pytest.raises(IntegrityError), transaction.atomic():
            StageChange.objects.filter(pk=change.pk).update(verdict="made", decided_key=key)


def test_it_goes_up_one_step_at_a_time(here: EnabledService) -> None:
    with pytest.raises(BadInput, match="the next step is canary"):
        ask(here, to="live", by=CY, why="The board agreed")
    raised(here, "canary", 10)
    assert next_steps(here) == ["canary", "live"]
    raised(here, "live")
    assert next_steps(here) == []


def test_a_larger_canary_is_a_step_up_too_and_a_smaller_one_is_not(here: EnabledService) -> None:
    raised(here, "canary", 10)
    with pytest.raises(BadInput, match="more than now"):
        ask(here, to="canary", percent=10, by=CY, why="The board agreed")
    raised(here, "canary", 30)
    lower(here, to="canary", percent=5, by=CY, why="Too many calls")
    assert (stage(here), here.canary_percent) == ("canary", 5)


@pytest.mark.parametrize("percent", [0, 101])
def test_a_canary_reaches_somebody_and_not_more_than_everybody(here: EnabledService, percent: int) -> None:
    with pytest.raises(BadInput, match="share of users"):
        ask(here, to="canary", percent=percent, by=CY, why="The board agreed")


def test_one_thing_is_asked_for_at_a_time(here: EnabledService) -> None:
    ask(here, to="canary", percent=10, by=CY, why="The board agreed")
    with pytest.raises(BadInput, match="Cy has asked for canary already"):
        ask(here, to="canary", percent=20, by=ANN, why="More is better")


def test_what_was_decided_is_not_decided_again(here: EnabledService) -> None:
    change = ask(here, to="canary", percent=10, by=CY, why="The board agreed")
    refuse(change, by=ANN, why="Not before the training")
    with pytest.raises(BadInput, match="refused by Ann"):
        approve(change, by=BO, why="I would have agreed", exception=NOT_YET)
    assert stage(here) == "silent"


def test_only_who_asked_withdraws(here: EnabledService) -> None:
    change = ask(here, to="canary", percent=10, by=CY, why="The board agreed")
    with pytest.raises(BadInput, match="Cy asked"):
        withdraw(change, by=ANN)
    withdraw(change, by=CY)
    ask(here, to="canary", percent=5, by=CY, why="A smaller one")


def test_a_step_down_overtakes_what_was_asked_for(here: EnabledService) -> None:
    change = ask(here, to="canary", percent=10, by=CY, why="The board agreed")
    switch_off(here.ehr, [SERVICE], by="Ann", actor="a", reason=WHY)
    with pytest.raises(BadInput, match="withdrawn by Ann"):
        approve(change, by=BO, why="I agree", exception=NOT_YET)
    assert stage(here) == "off"


def test_after_a_stop_the_way_back_is_one_step_for_two_people(here: EnabledService) -> None:
    raised(here, "canary", 10)
    raised(here, "live")
    switch_off(here.ehr, [SERVICE], by="Cy", actor="c", reason=WHY)
    here.refresh_from_db()
    assert next_steps(here) == ["silent", "live"]
    raised(here, "live")
    assert (here.stage, here.off_reason, here.off_at) == ("live", "", None)


@pytest.mark.parametrize("to", ["live", "canary", "silent"])
def test_a_step_down_leads_lower(here: EnabledService, to: str) -> None:
    with pytest.raises(BadInput, match="leads lower"):
        lower(here, to=to, percent=10, by=CY, why="By mistake")


# --- What is shown waits for the scorecard -------------------------------------------------------------------------
def test_nothing_is_shown_before_the_scorecard_is_complete(here: EnabledService) -> None:
    change = ask(here, to="canary", percent=10, by=CY, why="The board agreed")
    with pytest.raises(BadInput, match="0 of at least 300 assessments"):
        approve(change, by=ANN, why="I agree")
    assert stage(here) == "silent"


def test_an_exception_is_kept_audited_and_stands_beside_the_scorecard(here: EnabledService) -> None:
    change = raised(here, "canary", 10)
    change.refresh_from_db()
    assert (change.evidence or {})["assessed"] == 0
    entry = AuditEntry.objects.get(action="raise-stage")
    assert (entry.actor, entry.detail["exception"]) == ("a", NOT_YET)


def test_with_a_complete_scorecard_no_exception_is_needed_or_kept(here: EnabledService) -> None:
    complete(here)
    change = ask(here, to="canary", percent=10, by=CY, why="The board agreed")
    approve(change, by=ANN, why="I agree", exception=NOT_YET)
    change.refresh_from_db()
    assert (stage(here), change.exception) == ("canary", "")


def test_silent_mode_shows_nothing_and_waits_for_no_scorecard(here: EnabledService) -> None:
    switch_off(here.ehr, [SERVICE], by="Cy", actor="c", reason=WHY)
    here.refresh_from_db()
    change = ask(here, to="silent", by=CY, why="Mended")
    approve(change, by=ANN, why="I have seen it")
    assert stage(here) == "silent"


# --- Test systems --------------------------------------------------------------------------------------------------
def test_at_a_test_system_one_person_is_enough(here: EnabledService) -> None:
    Ehr.objects.update(environment="test")
    here = EnabledService.objects.get()
    change = ask(here, to="canary", percent=50, by=CY, why="Let us look at it")
    assert (stage(here), change.alone) == ("canary", True)


def test_when_patients_come_nothing_that_one_person_showed_is_shown_any_longer(hospital: Ehr) -> None:
    hush(hospital, by=CY, why="It was a test system.")
    assert set(hospital.services.values_list("stage", flat=True)) == {"silent"}
