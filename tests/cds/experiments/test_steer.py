"""Two people agree on a protocol, which nothing changes any more; one stops it, and the report keeps that it was early."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from cds.errors import BadInput
from cds.experiments import steer
from cds.models import AuditEntry, EnabledService, Experiment, StageChange
from cds.protocol import Arm
from cds.switch import switch_off
from tests.cds.experiments.trial import ANN, INA, WHY, approved, elsewhere, plan, running
from tests.cds.shelves import draft


@pytest.fixture
def here(db: None) -> EnabledService:
    return elsewhere()


def now(experiment: Experiment) -> Experiment:
    return Experiment.objects.get(pk=experiment.pk)


def test_two_people_freeze_a_protocol_and_it_is_started_and_stopped(here: EnabledService) -> None:
    experiment = running(here)
    assert experiment.sha256 == experiment.protocol.sha256
    assert here.experiment_id == experiment.pk
    steer.stop(experiment, by=INA, why="Complaints from the wards")
    assert not EnabledService.objects.exclude(experiment=None).exists()
    ended = now(experiment)
    assert (ended.state, ended.end_reason) == ("ended early", "Complaints from the wards")
    actions = AuditEntry.objects.filter(action__endswith="-experiment").order_by("pk")
    assert [entry.action.partition("-")[0] for entry in actions] == ["ask", "approve", "start", "stop"]
    assert actions[1].detail["sha256"] == experiment.sha256


def test_who_asked_does_not_approve(here: EnabledService) -> None:
    asked = steer.ask(here, plan(here), by=ANN, why=WHY)
    with pytest.raises(BadInput, match="somebody else"):
        steer.approve(asked, by=ANN, why="I agree with myself")


def test_a_protocol_that_was_changed_after_its_approval_is_not_started(here: EnabledService) -> None:
    experiment = approved(here)
    Experiment.objects.filter(pk=experiment.pk).update(written=experiment.written | {"difference": -0.3})
    with pytest.raises(BadInput, match="not the one that was approved"):
        steer.start(experiment, by=INA, why=WHY)


def test_a_protocol_from_before_departments_could_be_drawn_has_the_same_hash(here: EnabledService) -> None:
    protocol = plan(here)
    written = msgspec.to_builtins(protocol)
    assert "places" not in written
    assert protocol.sha256 == hashlib.sha256(msgspec.json.encode(written)).hexdigest()


def test_one_runs_at_a_time_and_none_twice(here: EnabledService) -> None:
    first, second = approved(here), approved(here)
    steer.start(first, by=INA, why=WHY)
    with pytest.raises(BadInput, match="Another experiment"):
        steer.start(second, by=INA, why=WHY)
    steer.stop(first, by=INA, why="Enough for now")
    with pytest.raises(BadInput, match="ended early"):
        steer.start(first, by=INA, why=WHY)


def test_nothing_is_withheld_where_results_are_written_by_policy(here: EnabledService) -> None:
    EnabledService.objects.update(write_back="auto")
    with pytest.raises(BadInput, match="written into charts by policy"):
        steer.ask(here, plan(here), by=INA, why=WHY)


def test_what_is_not_live_can_only_have_a_shadow(here: EnabledService) -> None:
    EnabledService.objects.update(stage="silent")
    with pytest.raises(BadInput, match="Begin with a shadow"):
        steer.ask(here, plan(here), by=INA, why=WHY)
    assert steer.ask(here, plan(here, form="shadow", metric="alerts", difference=0.1), by=INA, why=WHY).pk


def test_a_version_that_was_never_silent_here_takes_a_stated_exception(here: EnabledService) -> None:
    version = draft()
    protocol = plan(here, form="variants", other=Arm(model_version=version.version, threshold=0.1))
    asked = steer.ask(here, protocol, by=INA, why=WHY)
    with pytest.raises(BadInput, match="scorecard of the other way is not complete"):
        steer.approve(asked, by=ANN, why="I agree")
    steer.approve(asked, by=ANN, why="I agree", exception="Silent for a year at our sister hospital")
    assert now(asked).exception.startswith("Silent for a year")


def test_a_version_that_is_not_on_the_shelf_is_refused_in_words(here: EnabledService) -> None:
    protocol = plan(here, form="variants", other=Arm(model_version="77", threshold=0.1))
    with pytest.raises(BadInput, match="cannot be used"):
        steer.ask(here, protocol, by=INA, why=WHY)


def test_at_a_test_system_one_person_is_enough(here: EnabledService) -> None:
    here.ehr.environment = "test"
    here.ehr.save()
    assert steer.ask(here, plan(here), by=INA, why=WHY).state == "approved, not started"


def test_refusing_and_withdrawing_leave_nothing_to_start(here: EnabledService) -> None:
    refused, withdrawn = (steer.ask(here, plan(here), by=INA, why=WHY) for _ in range(2))
    steer.refuse(refused, by=ANN, why="Not with this size")
    steer.withdraw(withdrawn, by=INA)
    for change in (refused, withdrawn):
        with pytest.raises(BadInput, match="only what was approved"):
            steer.start(change, by=INA, why=WHY)


def test_an_unplanned_look_stays_for_good(here: EnabledService) -> None:
    experiment = running(here)
    steer.peek(experiment, by=INA, why="The board was curious")
    (seen,) = now(experiment).peeks
    assert (seen["by"], seen["why"]) == ("Ina", "The board was curious")
    assert AuditEntry.objects.filter(action="peek-experiment").exists()


def test_switching_off_needs_no_leave_of_an_experiment(here: EnabledService) -> None:
    running(here)
    switch_off(here.ehr, [here.service_id], by="root", actor="a", reason="Alerts on every chart")
    assert StageChange.objects.get().after == "off"


WARDS = tuple(f"Location/ward-{number}" for number in range(4))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"metric": "accepted"}, "cannot be judged"),
        ({"share": 60}, "1 to 50"),
        ({"difference": 0}, "cannot be found"),
        ({"difference": 0.7}, "outside of what is possible"),
        ({"baseline": float("nan")}, "has to be a number"),
        ({"looks": 9}, "1 to 4 looks"),
        ({"form": "shadow", "metric": "alerts", "difference": 0.5}, "outside of what is possible"),
        ({"unit": "place"}, "needs two departments"),
        ({"unit": "place", "places": WARDS[:3]}, "needs two departments"),
        ({"unit": "place", "places": (*WARDS, "north ward")}, "“north ward” names no department"),
        ({"unit": "place", "places": WARDS * 2}, "named once"),
        ({"unit": "place", "places": WARDS, "cluster": 10, "icc": 0.05}, "The 4 departments have 40 patients"),
        ({"places": WARDS}, "only where they are drawn"),
    ],
)
def test_what_cannot_be_is_said_when_it_is_written(here: EnabledService, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plan(here, **changed)
