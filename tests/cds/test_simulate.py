"""Alerts at another threshold, counted from stored answers."""

from __future__ import annotations

import pytest

from cds import registry
from cds.errors import BadInput
from cds.finding import Finding, Outcome
from cds.models import Ehr, EnabledService, PopulationResult, PopulationRun
from cds.simulate import THRESHOLDS, Alerts, population, runs, swept, validation
from scoring import shelf
from scoring.models import ModelVersion
from tests.cds.assessed import CHILD, SERVICE, UNKNOWN, assessed, by_model, guess, learnt

BY_GUIDELINE = Finding(rule="confirm-hba1c", alert=True, indicator="warning", estimate=guess(0.01))
ORDERED_ALREADY = Finding(rule="model-high", alert=False, estimate=guess(0.4))


@pytest.fixture
def here(db: None) -> EnabledService:
    shelf.forget()
    ehr = Ehr.objects.create(name="St. Elsewhere", fhir_base="https://e.example/fhir", time_zone="Asia/Shanghai")
    return EnabledService.objects.create(ehr=ehr, service_id=SERVICE)


def at(here: EnabledService, threshold: float, *, days: int = 30) -> Alerts:
    return population(here, days=days).at(threshold)


def test_a_lower_threshold_raises_more_alerts(here: EnabledService) -> None:
    assessed(here, *[by_model(probability) for probability in (0.02, 0.07, 0.15, 0.4)])
    assert [at(here, threshold).alerts for threshold in (0.01, 0.05, 0.1, 0.2, 0.5)] == [4, 3, 2, 1, 0]


def test_at_the_threshold_in_force_it_counts_the_alerts_that_there_were(here: EnabledService) -> None:
    answers: list[Outcome] = [by_model(0.02), by_model(0.4), BY_GUIDELINE, ORDERED_ALREADY, UNKNOWN, CHILD]
    assessed(here, *answers)
    assert at(here, registry.get(SERVICE).threshold).alerts == sum(getattr(one, "alert", False) for one in answers) == 2


def test_what_the_guidelines_say_does_not_depend_on_it(here: EnabledService) -> None:
    assessed(here, BY_GUIDELINE)
    assert at(here, 0.99).alerts == 1


def test_who_has_the_order_already_is_alerted_on_at_no_threshold(here: EnabledService) -> None:
    assessed(here, ORDERED_ALREADY)
    assert at(here, 0.01).alerts == 0


def test_alerts_are_counted_by_day_and_patients_once(here: EnabledService) -> None:
    assessed(here, by_model(0.3), by_model(0.02), days_ago=2)
    assessed(here, by_model(0.3), days_ago=1)
    found = at(here, 0.1)
    assert (found.alerts, found.a_day) == (2, 1)
    assert (found.patients.count, found.patients.of) == (1, 2)


def test_where_the_truth_is_known_it_says_how_many_were_right_and_found(here: EnabledService) -> None:
    assessed(here, *[by_model(probability) for probability in (0.3, 0.3, 0.3, 0.02)])
    learnt(here, _0=True, _1=False, _3=True)
    found = at(here, 0.1)
    assert (found.ppv.count, found.ppv.of) == (1, 2)
    assert (found.found.count, found.found.of) == (1, 2)
    assert (at(here, 0.01).found.count, at(here, 0.01).ppv.of) == (2, 3)


def test_test_patients_and_what_is_older_stay_out(here: EnabledService) -> None:
    assessed(here, by_model(0.3), test=True)
    assessed(here, by_model(0.3), days_ago=8)
    assert at(here, 0.1, days=7).alerts == 0
    assert at(here, 0.1, days=30).alerts == 1


def test_the_table_has_the_chosen_threshold_too(here: EnabledService) -> None:
    thresholds = [one.threshold for one in population(here, days=7).table(0.12)]
    assert thresholds == sorted({*THRESHOLDS, 0.12})


def test_of_nobody_there_is_no_rate(here: EnabledService) -> None:
    found = at(here, 0.1)
    assert (found.alerts, found.a_day, found.ppv.of, found.patients.of) == (0, None, 0, 0)


# --- The people on whom the model was measured --------------------------------------------------------------------
def test_the_models_own_figures_are_met_at_its_own_threshold(here: EnabledService) -> None:
    """Within what reading them from 30 bands costs, and with intervals as wide as those of the model card."""
    facts = shelf.active_facts(SERVICE)
    found = validation(here, a_day=200).at(facts["threshold"])
    card = facts["performance"]["unweighted"]["at_threshold"]
    assert found.patients.percent[0] == pytest.approx(card["alerts_per_100"]["value"], rel=0.05)
    assert found.ppv.value == pytest.approx(card["ppv"]["value"], rel=0.05)
    assert found.found.value == pytest.approx(card["sensitivity"]["value"], rel=0.05)
    assert found.found.interval[0] == pytest.approx(card["sensitivity"]["low"], abs=0.03)
    assert found.a_day == pytest.approx(2 * found.patients.percent[0])


def test_a_version_that_was_not_measured_so_says_so(here: EnabledService) -> None:
    row = ModelVersion.objects.get(name=SERVICE, status="approved")
    ModelVersion.objects.filter(pk=row.pk).update(facts=row.facts | {"curves": {}})
    shelf.forget()
    with pytest.raises(BadInput, match="does not say how"):
        validation(here, a_day=200)


# --- A population run ---------------------------------------------------------------------------------------------
@pytest.fixture
def run(here: EnabledService) -> PopulationRun:
    """Five people: two of them by the model, one by a guideline, one who has the order already, one child."""
    made = PopulationRun.objects.create(
        ehr=here.ehr, service_id=SERVICE, threshold=0.1, model_name=SERVICE, model_version="1", state="done", patients=5
    )
    told = [
        ("scored", "model-high", 0.3, True),
        ("scored", "model-low", 0.06, False),
        ("scored", "confirm-hba1c", 0.01, True),
        ("scored", "model-high", 0.4, False),
        ("not-applicable", "child", None, False),
    ]
    for number, (outcome, reason, probability, alerts) in enumerate(told):
        PopulationResult.objects.create(
            run=made, pseudonym=str(number), outcome=outcome, reason=reason, probability=probability, alerts=alerts
        )
    return made


def test_a_run_is_counted_at_any_threshold(here: EnabledService, run: PopulationRun) -> None:
    people = swept(here, run, a_day=50)
    assert [people.at(threshold).alerts for threshold in (0.05, 0.1, 0.5)] == [3, 2, 1]
    assert people.at(0.1).a_day == pytest.approx(20)


def test_only_finished_runs_of_this_service_are_offered(here: EnabledService, run: PopulationRun) -> None:
    other = Ehr.objects.create(name="Other", fhir_base="https://o.example/fhir")
    PopulationRun.objects.create(ehr=other, service_id=SERVICE, threshold=0.1, state="done")
    PopulationRun.objects.create(ehr=here.ehr, service_id=SERVICE, threshold=0.1, state="scoring")
    assert list(runs(here)) == [run]
