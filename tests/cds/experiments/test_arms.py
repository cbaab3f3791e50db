"""Who is shown which way: always the same for one unit, at every door, and nobody by accident."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cds import registry
from cds.experiments import in_arm
from cds.flow import enabled
from cds.models import Assessment, Ehr, EnabledService, Enrolment, Experiment
from scoring import shelf
from smartapp.demo_ehr import hooks as emr
from tests.cds.experiments.trial import elsewhere, running
from tests.cds.shelves import draft
from tests.conftest import finished
from tests.hooks.test_views import post, request_body
from tests.smartapp.conftest import Browser

SERVICE = registry.get("diabetes-risk")


@pytest.fixture
def here(db: None) -> EnabledService:
    return elsewhere()


def drawn(here: EnabledService, patient: str = "", user: str = "") -> EnabledService:
    return in_arm(enabled(here.ehr, SERVICE), SERVICE, patient_key=patient, user_key=user)


def arm(here: EnabledService, patient: str = "", user: str = "") -> str:
    found = drawn(here, patient, user).enrolment
    return str(found.arm) if found else "nobody is enrolled"


def test_where_nothing_runs_nothing_is_asked(here: EnabledService) -> None:
    row = enabled(here.ehr, SERVICE)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert in_arm(row, SERVICE, patient_key="p", user_key="u").arm is None
    assert len(asked) == 0


def test_a_patient_stays_in_one_arm_whoever_looks(here: EnabledService) -> None:
    running(here)
    for number in range(20):
        assert len({arm(here, f"patient {number}", user) for user in ("a", "b", "")}) == 1


def test_a_clinician_stays_in_one_arm_whomever_they_see(here: EnabledService) -> None:
    running(here, unit="clinician")
    for number in range(20):
        assert len({arm(here, patient, f"user {number}") for patient in ("p", "q")}) == 1


def test_the_shares_are_as_planned_and_another_experiment_draws_anew(here: EnabledService) -> None:
    first = running(here, share=30)
    first.salt = "the first"
    keys = [f"patient {number}" for number in range(2000)]
    one = [first.arm_of(key) == "other" for key in keys]
    assert 0.27 < sum(one) / 2000 < 0.33
    other = Experiment(written=first.written, salt="the second")
    both = sum(a and other.arm_of(key) == "other" for a, key in zip(one, keys, strict=True))
    assert 0.06 < both / 2000 < 0.12  # 9 in 100 by chance


def test_who_has_no_id_gets_the_way_in_force_and_is_counted_as_not_assigned(here: EnabledService) -> None:
    running(here, unit="clinician")
    row = drawn(here, patient="p", user="")
    assert row.shown_to("")
    assert row.enrolment is not None
    assert row.enrolment.arm == ""


@pytest.mark.parametrize("changed", [{"threshold": 0.3}, {"stage": "canary"}, {"stage": "silent"}])
def test_what_changed_meanwhile_counts_at_once_and_nobody_is_enrolled(
    here: EnabledService, changed: dict[str, Any]
) -> None:
    running(here)
    EnabledService.objects.update(**changed)
    assert {arm(here, f"patient {number}") for number in range(20)} == {"nobody is enrolled"}


def test_a_rollback_counts_for_both_arms(here: EnabledService) -> None:
    running(here, form="variants")
    shelf.approve(SERVICE.model or "", draft().version, by="two")
    assert arm(here, "p") == "nobody is enrolled"


def forced(experiment: Experiment, key: str, wanted: str) -> None:
    """The salt by which this unit falls into that arm."""
    for number in range(1000):
        experiment.salt = str(number)
        if experiment.arm_of(key) == wanted:
            experiment.save()
            return


@pytest.mark.parametrize(("wanted", "cards"), [("standing", 1), ("other", 0)])
def test_a_card_that_is_withheld_is_scored_and_the_page_withholds_it_too(
    hospital: Ehr, browser: Browser, wanted: str, cards: int
) -> None:
    here = EnabledService.objects.get(ehr=hospital, service_id=SERVICE.id)
    forced(running(here), hospital.pseudonym("ada"), wanted)
    assert len(post(request_body("ada")).json()["cards"]) == cards
    assert finished(Assessment.objects.get(service_id=SERVICE.id)).settled
    page = browser.look("ada")
    assert ("No HbA1c on record" in page) is bool(cards)
    assert {one.arm for one in Enrolment.objects.all()} == {wanted}


def test_each_arm_has_answers_of_its_own(hospital: Ehr) -> None:
    here = EnabledService.objects.get(ehr=hospital, service_id=SERVICE.id)
    experiment = running(here, form="variants")
    for wanted in ("standing", "other"):
        forced(experiment, hospital.pseudonym("ada"), wanted)
        post(request_body("ada"))
    rows = Enrolment.objects.select_related("assessment").order_by("pk")
    assert [(row.arm, row.assessment.threshold) for row in rows] == [("standing", SERVICE.threshold), ("other", 0.2)]
    assert emr.services()
