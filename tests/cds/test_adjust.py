"""Settings: by two people while anybody is shown the service, by one before; less writing at once; each with its reason."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from cds.adjust import adjust, approve, foreseen, refuse, withdraw
from cds.approval import Person
from cds.errors import BadInput
from cds.models import AuditEntry, Ehr, EnabledService, SettingsChange
from scoring import shelf
from tests.cds.assessed import SERVICE, assessed, by_model, learnt

ANN = Person(name="Ann", key="a", approves=True)
CY = Person(name="Cy", key="c")
WHY = "Too many alerts on the wards"


@pytest.fixture
def here(db: None) -> EnabledService:
    """Live at a hospital where patients are cared for."""
    shelf.forget()
    ehr = Ehr.objects.create(name="St. Elsewhere", fhir_base="https://elsewhere.example/fhir")
    return EnabledService.objects.create(ehr=ehr, service_id=SERVICE, stage="live")


def asked(here: EnabledService, *, by: Person = CY, **to: Any) -> SettingsChange:
    (change,) = adjust(here, to=to, by=by, why=WHY)
    return change


@pytest.mark.parametrize("stage", ["canary", "live"])
@pytest.mark.parametrize(
    ("name", "value"), [("threshold", 0.2), ("cool_down_hours", 1), ("daily_budget", 3), ("write_back", "auto")]
)
def test_what_somebody_is_shown_is_changed_by_two_people(
    here: EnabledService, stage: str, name: str, value: Any
) -> None:
    EnabledService.objects.update(stage=stage)
    Ehr.objects.update(system_client_id="bedside")
    before = getattr(here, name)
    change = asked(here, **{name: value})
    here.refresh_from_db()
    assert getattr(here, name) == before
    approve(change, by=ANN, why="I agree")
    here.refresh_from_db()
    assert getattr(here, name) == value
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")] == ["ask-settings", "change-settings"]


@pytest.mark.parametrize("stage", ["off", "silent"])
def test_what_nobody_is_shown_is_changed_by_one_person(here: EnabledService, stage: str) -> None:
    EnabledService.objects.update(stage=stage)
    change = asked(here, threshold=0.2)
    here.refresh_from_db()
    assert (here.threshold, change.verdict, change.alone) == (0.2, "made", True)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.detail["reason"]) == ("change-settings", WHY)
    assert entry.detail["changes"] == "threshold the service's own to 20 %"


def test_at_a_test_system_one_person_is_enough(here: EnabledService) -> None:
    Ehr.objects.update(environment="test")
    assert asked(here, threshold=0.2).verdict == "made"


def test_nobody_decides_on_what_they_asked_for_and_who_decides_has_the_role(here: EnabledService) -> None:
    with pytest.raises(BadInput, match="asked for this yourself"):
        approve(asked(here, by=ANN, threshold=0.2), by=ANN, why="I agree")
    change = SettingsChange.objects.get()
    with pytest.raises(BadInput, match="clinical approver"):
        approve(change, by=CY, why="I agree")
    with pytest.raises(IntegrityError), transaction.atomic():
        SettingsChange.objects.update(verdict="made", decided_key="a")


def test_to_write_less_is_done_at_once_and_the_rest_waits(here: EnabledService) -> None:
    made, waits = adjust(here, to={"write_back": "off", "threshold": 0.2}, by=CY, why=WHY)
    here.refresh_from_db()
    assert (made.verdict, waits.verdict) == ("made", "waiting")
    assert (here.write_back, here.threshold) == ("off", None)


def test_one_thing_is_asked_for_at_a_time(here: EnabledService) -> None:
    asked(here, threshold=0.2)
    with pytest.raises(BadInput, match="Cy has asked for threshold the service's own to 20 % already"):
        asked(here, daily_budget=2)


def test_what_was_asked_for_of_other_settings_is_not_made(here: EnabledService) -> None:
    change = asked(here, threshold=0.2)
    EnabledService.objects.update(threshold=0.3)
    with pytest.raises(BadInput, match="other ones by now"):
        approve(change, by=ANN, why="I agree")
    refuse(change, by=ANN, why="It is out of date")
    change.refresh_from_db()
    assert (change.verdict, change.decision) == ("refused", "It is out of date")


def test_only_who_asked_withdraws(here: EnabledService) -> None:
    change = asked(here, threshold=0.2)
    with pytest.raises(BadInput, match="Cy asked"):
        withdraw(change, by=ANN)
    withdraw(change, by=CY)
    assert asked(here, threshold=0.25).verdict == "waiting"


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ({"threshold": 20.0}, "A fraction from 0 to 1"),
        ({"threshold": -0.1}, "A fraction from 0 to 1"),
        ({"cool_down_hours": None}, "cannot be null"),
        ({"write_back": "auto"}, "system client id"),
        ({"write_back": "suggest"}, "Nothing differs"),
    ],
)
def test_what_cannot_be_is_refused_in_words(here: EnabledService, to: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        adjust(here, to=to, by=CY, why=WHY)
    assert not SettingsChange.objects.exists()


def test_what_a_threshold_would_do_here_is_shown_and_stays_with_the_decision(here: EnabledService) -> None:
    assessed(here, by_model(0.3), by_model(0.15), by_model(0.02))
    learnt(here, _0=True, _1=False)
    change = asked(here, threshold=0.2)
    assert [(one.threshold, one.alerts) for one in foreseen(here, change)] == [(0.1, 2), (0.2, 1)]
    approve(change, by=ANN, why="I agree")
    change.refresh_from_db()
    before, after = change.evidence or []
    assert (before["ppv"], after["ppv"]) == ({"count": 1, "of": 2}, {"count": 1, "of": 1})


def test_of_another_setting_nothing_is_foreseen(here: EnabledService) -> None:
    assert foreseen(here, asked(here, daily_budget=2)) == []


def test_a_service_that_is_not_installed_any_more_can_still_be_told_to_write_nothing(here: EnabledService) -> None:
    EnabledService.objects.update(service_id="gone")
    here.refresh_from_db()
    assert asked(here, write_back="off").verdict == "made"
