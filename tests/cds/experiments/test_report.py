"""A result at the planned looks only, of each patient once, by the arm of their first time; every doubt is said."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from cds.experiments import report, steer
from cds.experiments.rows import people
from cds.models import EnabledService, Experiment, Merge
from scoring.models import Prediction
from tests.cds.assessed import LOW, SERVICE, by_model
from tests.cds.experiments.trial import INA, elsewhere, met, running


@pytest.fixture
def here(db: None) -> EnabledService:
    return elsewhere()


@pytest.fixture
def trial(here: EnabledService) -> Experiment:
    """40 patients in two looks: from 70 % to 20 %."""
    return running(here, baseline=0.7, difference=-0.5, looks=2)


def known(experiment: Experiment, case: str, *, label: bool = False, after: float = 5) -> None:
    row = experiment.enrolments.filter(patient_key=case).earliest("at")
    Prediction.objects.create(
        case=row.assessment_id,
        site=str(experiment.ehr_id),
        service_id=SERVICE,
        model_name=SERVICE,
        model_version="1",
        row={},
        threshold=0.1,
        asked_at=row.at,
        label=label,
        labelled_at=row.at + timedelta(days=after),
        known_by="result",
    )


def enrol(experiment: Experiment, people: int, *, tested: tuple[int, int] = (10, 10), days: float = 40) -> None:
    """Turn by turn; of ten in each arm so many are tested."""
    for number in range(people):
        other, patient = bool(number % 2), f"patient {experiment.enrolments.count()}"
        met(experiment, patient, arm="other" if other else "standing", days=days - number / 1000)
        if (number // 2) % 10 < tested[other]:
            known(experiment, patient)


def test_before_the_first_look_there_is_no_result(trial: Experiment) -> None:
    enrol(trial, trial.protocol.planned[0] - 1)
    found = report(trial)
    assert (found.looks, found.followed) == ((), trial.protocol.planned[0] - 1)


def test_a_look_is_of_the_first_people_whenever_somebody_looks(trial: Experiment) -> None:
    enrol(trial, trial.protocol.planned[0], tested=(7, 2))
    (first,) = report(trial).looks
    enrol(trial, 3, days=39, tested=(0, 10))
    (again,) = report(trial).looks
    assert first == again
    assert not again.final


def test_at_the_end_the_arms_differ_by_the_rule(trial: Experiment) -> None:
    enrol(trial, trial.protocol.size, tested=(8, 1))
    found = report(trial)
    assert found.last is not None
    assert (found.last.final, found.last.different, found.may_end) == (True, True, True)
    assert found.last.effect.percent is not None
    assert found.last.effect.percent[0] == pytest.approx(-70, abs=10)
    steer.stop(trial, by=INA, why="The plan is fulfilled")
    assert Experiment.objects.get().state == "ended"


def test_who_is_not_followed_up_yet_waits(trial: Experiment) -> None:
    enrol(trial, 6, days=10)
    found = report(trial)
    assert (found.patients, found.followed) == (6, 0)


def test_a_test_after_the_follow_up_does_not_count(trial: Experiment) -> None:
    met(trial, "late", arm="other")
    known(trial, "late", after=31)
    met(trial, "in time", arm="other")
    known(trial, "in time", after=29)
    steer.peek(trial, by=INA, why="For this test")
    (seen,) = report(Experiment.objects.get()).peeks
    assert (seen.effect.other.people, seen.effect.other.events) == (2, 1)


def test_whom_no_card_was_meant_for_and_test_patients_do_not_count(trial: Experiment) -> None:
    met(trial, "low", arm="other", outcome=LOW)
    met(trial, "invented", arm="other", test=True)
    assert report(trial).followed == 0


def test_a_patient_met_in_both_arms_counts_once_in_the_first_and_is_reported(here: EnabledService) -> None:
    trial = running(here, unit="clinician", cluster=10, icc=0.05)
    met(trial, "p", arm="other", unit="u1", days=50)
    met(trial, "p", arm="standing", unit="u2", days=40)
    met(trial, "q", arm="", days=40)
    found = report(trial)
    assert (found.patients, found.followed, found.both, found.unassigned) == (1, 1, 1, 1)
    assert found.units == (1, 1)


def merged(experiment: Experiment, old: str, new: str) -> None:
    Merge.objects.create(ehr=experiment.ehr, from_key=old, into_key=new)


def test_two_records_that_were_merged_count_once_in_the_arm_of_the_one_that_goes_on(trial: Experiment) -> None:
    met(trial, "old", arm="other", days=50)
    met(trial, "new", arm="standing", days=45)
    merged(trial, "old", "new")
    found = report(trial)
    assert (found.patients, found.followed, found.merged, found.both) == (1, 1, 1, 1)
    (person,) = people(trial)
    assert (person.patient_key, person.other) == ("new", False)


def test_where_only_the_old_record_was_drawn_its_first_time_counts(trial: Experiment) -> None:
    met(trial, "old", arm="other", days=50)
    met(trial, "new", arm="other", unit="old", days=45)
    merged(trial, "old", "new")
    (person,) = people(trial)
    assert (person.patient_key, person.other) == ("old", True)
    assert report(trial).both == 0


def test_parted_again_they_are_two(trial: Experiment) -> None:
    enrol(trial, 2)
    merged(trial, "patient 0", "patient 1")
    assert report(trial).followed == 1
    Merge.objects.update(undone_at=timezone.now())
    assert report(trial).followed == 2


def test_by_department_the_intervals_are_those_of_departments(here: EnabledService) -> None:
    wards = tuple(f"Location/ward-{number}" for number in range(4))
    trial = running(here, unit="place", places=wards, cluster=50, baseline=0.7, difference=-0.5)
    for number in range(trial.protocol.size):
        key = trial.key_of(wards[number % 4])
        met(trial, f"patient {number}", arm=trial.arm_of(key), unit=key)
    met(trial, "nowhere", arm="")
    found = report(trial)
    assert found.last is not None
    assert (found.last.effect.standing.clusters, found.last.effect.other.clusters) == (2, 2)
    assert (found.drawn, found.by_cluster, found.units, found.unassigned) == ("departments", True, (2, 2), 1)
    assert not found.mismatch


def test_a_drawing_that_went_wrong_is_said(trial: Experiment) -> None:
    for number in range(40):
        met(trial, f"patient {number}", arm="other", days=1)
    assert report(trial).mismatch


def test_ended_before_its_time_it_says_so_for_good(trial: Experiment) -> None:
    enrol(trial, 4)
    steer.stop(trial, by=INA, why="Complaints from the wards")
    assert Experiment.objects.get().state == "ended early"


def test_a_shadow_tells_who_would_be_alerted_on_by_one_way_alone(here: EnabledService) -> None:
    shadow = running(here, form="shadow", metric="alerts", baseline=0.9, difference=0.8)
    for number in range(shadow.protocol.size):
        row = met(shadow, f"patient {number}", arm="standing", outcome=by_model(0.05 + 0.2 * (number == 0)))
        twin = met(shadow, f"twin {number}", arm="standing", outcome=by_model(0.3), days=0)
        twin_case = twin.assessment
        twin.delete()
        row.twin = twin_case
        row.save()
    found = report(shadow)
    assert found.apart is not None
    assert (found.apart.both, len(found.apart.only_other), len(found.apart.only_standing)) == (
        1,
        shadow.protocol.size - 1,
        0,
    )
    assert found.last is not None
    assert found.last.different
    assert timezone.now() > row.at
