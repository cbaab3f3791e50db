"""Who is shown which way: always the same for one unit, at every door, and nobody by accident."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cds import registry
from cds.experiments import in_arm, steer
from cds.facilities import differ, wanted
from cds.flow import enabled
from cds.models import Assessment, Ehr, EnabledService, Enrolment, Experiment, Merge
from cds.needs import Need
from scoring import shelf
from smartapp.demo_ehr import hooks as emr
from tests.cds.experiments.trial import INA, elsewhere, met, running
from tests.cds.shelves import draft
from tests.conftest import finished
from tests.hooks.test_views import post, request_body
from tests.smartapp.conftest import Browser

SERVICE = registry.get("diabetes-risk")


@pytest.fixture
def here(db: None) -> EnabledService:
    return elsewhere()


def drawn(here: EnabledService, patient: str = "", user: str = "", *places: str) -> EnabledService:
    return in_arm(enabled(here.ehr, SERVICE), SERVICE, patient_key=patient, user_key=user, places=places)


def arm(here: EnabledService, patient: str = "", user: str = "", *places: str) -> str:
    found = drawn(here, patient, user, *places).enrolment
    return str(found.arm) if found else "nobody is enrolled"


def test_where_nothing_runs_nothing_is_asked(here: EnabledService) -> None:
    row = enabled(here.ehr, SERVICE)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert in_arm(row, SERVICE, patient_key="p", user_key="u", places=()).arm is None
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


# --- Departments ------------------------------------------------------------------------------------------------------
WARDS = tuple(f"Location/ward-{number}" for number in range(6))


def by_ward(here: EnabledService, **changed: Any) -> Experiment:
    return running(here, unit="place", places=WARDS, cluster=100, icc=0.01, **changed)


def test_a_department_stays_in_one_arm_and_so_many_are_drawn_as_planned(here: EnabledService) -> None:
    by_ward(here, share=33)
    arms = [{arm(here, patient, user, ward) for patient in "pq" for user in ("u", "")} for ward in WARDS]
    assert all(len(one) == 1 for one in arms)
    assert [arm for one in arms for arm in one].count("other") == 2


def test_the_narrowest_place_that_takes_part_counts(here: EnabledService) -> None:
    by_ward(here)
    for ward in WARDS:
        assert arm(here, "p", "u", "Location/bed-7", ward, WARDS[0]) == arm(here, "p", "u", ward)


@pytest.mark.parametrize("places", [(), ("Organization/south",)])
def test_where_no_department_is_known_the_way_in_force_is_shown_and_nothing_counts(
    here: EnabledService, places: tuple[str, ...]
) -> None:
    by_ward(here)
    assert arm(here, "p", "u", *places) == ""
    assert drawn(here, "p", "u", *places).shown_to("u")


def test_the_encounter_is_read_only_while_departments_are_drawn(here: EnabledService) -> None:
    metformin = registry.get("metformin-renal")
    experiment = by_ward(here)
    here.refresh_from_db()
    assert wanted(here, metformin, "e1") == (Need.encounter("e1"),)
    assert differ(here.ehr)
    steer.stop(experiment, by=INA, why="Enough for now")
    here.refresh_from_db()
    assert wanted(here, metformin, "e1") == ()
    assert not differ(here.ehr)


@pytest.mark.parametrize("wanted_arm", ["standing", "other"])
def test_hook_and_page_of_a_department_agree(hospital: Ehr, browser: Browser, wanted_arm: str) -> None:
    here = EnabledService.objects.get(ehr=hospital, service_id=SERVICE.id)
    northgate = "Organization/northgate"  # where the demo hospital's encounters are
    experiment = running(here, unit="place", places=(northgate, *WARDS[:3]), cluster=200, icc=0.01)
    forced(experiment, northgate, wanted_arm)
    shown = wanted_arm == "standing"
    assert len(post(request_body("ada")).json()["cards"]) == shown
    assert finished(Assessment.objects.get(service_id=SERVICE.id)).settled
    assert ("No HbA1c on record" in browser.look("ada")) is shown
    assert {one.arm for one in Enrolment.objects.all()} == {wanted_arm}


# --- Merged records ---------------------------------------------------------------------------------------------------
def merged(here: EnabledService, old: str, new: str) -> None:
    Merge.objects.create(ehr=here.ehr, from_key=old, into_key=new)


def two_that_differ(experiment: Experiment) -> tuple[str, str]:
    keys = [f"patient {number}" for number in range(50)]
    by_arm = {experiment.arm_of(key): key for key in keys}
    return by_arm["standing"], by_arm["other"]


def test_who_was_drawn_keeps_the_arm_under_the_record_that_goes_on(here: EnabledService) -> None:
    experiment = running(here)
    new, old = two_that_differ(experiment)
    met(experiment, old, arm="other")
    merged(here, old, new)
    assert arm(here, new) == "other"
    met(experiment, new, arm="other", unit=old)
    Merge.objects.all().delete()
    assert arm(here, new) == "other"  # and stays so if they are parted again


def test_where_both_were_drawn_the_record_that_goes_on_keeps_its_arm(here: EnabledService) -> None:
    experiment = running(here)
    new, old = two_that_differ(experiment)
    met(experiment, old, arm="other", days=50)
    met(experiment, new, arm="standing")
    merged(here, old, new)
    assert arm(here, new) == "standing"


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
        found = Experiment(written=experiment.written, salt=str(number))
        if found.arm_of(found.key_of(key) or key) == wanted:
            Experiment.objects.filter(pk=experiment.pk).update(salt=found.salt)
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
    for arm_wanted in ("standing", "other"):
        forced(experiment, hospital.pseudonym("ada"), arm_wanted)
        post(request_body("ada"))
    rows = Enrolment.objects.select_related("assessment").order_by("pk")
    assert [(row.arm, row.assessment.threshold) for row in rows] == [("standing", SERVICE.threshold), ("other", 0.2)]
    assert emr.services()
