"""The whole decision: which rule speaks, whether it raises a card, and which test it offers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cds import registry
from cds.codes import CPT, ICD10CM, SNOMED
from cds.finding import Finding, NotApplicable, NotEnoughData, Outcome, from_json
from cds.service import DecisionService
from cds.services.diabetes import rules
from cds.services.diabetes.service import ORDER_HBA1C
from cds.services.diabetes.tests.charts import (
    aged,
    chart,
    days_ago,
    diagnosis,
    fasting,
    glucose,
    hba1c,
    measured,
    months_ago,
    order,
    person,
    treatment,
)
from scoring.shelf import Model

BODY = measured("bmi", 31)


@pytest.fixture
def service() -> DecisionService:
    return registry.get("diabetes-risk")


@pytest.fixture
def ask(service: DecisionService, model: Model) -> Any:
    def answer(*facts: Any, **more: Any) -> Any:
        return service.assess(chart(*facts, **more), model=model, threshold=service.threshold)

    return answer


# --- The model
def test_a_high_probability_offers_an_hba1c(ask: Any) -> None:
    found = ask(glucose(150), BODY)
    assert (found.rule, found.alert) == ("model-high", True)
    assert found.step.label == "Order HbA1c"
    assert found.estimate.probability >= 0.10
    assert found.indicator == "info"


def test_a_low_probability_raises_no_card_and_shows_the_estimate(ask: Any) -> None:
    found = ask(glucose(85), BODY)
    assert (found.rule, found.alert) == ("model-low", False)
    assert found.estimate.probability < 0.10


def test_the_threshold_is_part_of_the_high_side(service: DecisionService, model: Model) -> None:
    context = chart(glucose(110), BODY)
    found = service.assess(context, model=model, threshold=0.1)
    assert isinstance(found, Finding)
    assert found.estimate is not None
    exact = found.estimate.probability
    assert service.assess(context, model=model, threshold=exact).rule == "model-high"
    assert service.assess(context, model=model, threshold=exact + 1e-6).rule == "model-low"


def test_without_glucose_the_model_alone_raises_no_card(service: DecisionService, model: Model) -> None:
    oldest = chart(measured("bmi", 55), measured("waist", 160), patient=aged(75))
    found = service.assess(oldest, model=model, threshold=0.0001)
    assert isinstance(found, NotEnoughData)
    assert (found.rule, found.alert) == ("not-enough", False)
    assert found.estimate is not None


def test_without_a_model_the_criteria_still_speak(service: DecisionService) -> None:
    found = service.assess(chart(hba1c(6.6)), model=None, threshold=0.1)
    assert isinstance(found, Finding)
    assert found.rule == "confirm-hba1c"
    assert found.estimate is None


@pytest.mark.parametrize("facts", [(hba1c(6.6),), (hba1c(6.0),), (hba1c(5.0),), (fasting(130),), (glucose(250),), ()])
def test_the_page_gets_the_estimate_in_every_case(facts: Any, ask: Any) -> None:
    assert ask(*facts).estimate is not None


# --- An order already placed
@pytest.mark.parametrize(
    "there",
    [
        order(),
        order("59261-8"),
        order("83036", system=CPT),
        order("43396009", system=SNOMED),
        order("", text="Hemoglobin A1c"),
        order(status="draft"),
        order(status="on-hold"),
    ],
)
def test_a_test_already_ordered_is_not_suggested_again(there: Any, ask: Any) -> None:
    high = ask(glucose(150), BODY, there)
    assert (high.rule, high.alert, high.step) == ("model-high", False, None)
    assert ask(hba1c(6.6), there).step is None


@pytest.mark.parametrize(
    "other",
    [
        order("2345-7"),
        order(status="completed"),
        order(status="revoked"),
        order("4548-4", system="http://hospital.example/orders"),
        order(start=months_ago(12, days=-1)),
    ],
)
def test_another_or_a_finished_or_forgotten_order_changes_nothing(other: Any, ask: Any) -> None:
    assert ask(glucose(150), BODY, other).step.label == "Order HbA1c"


# --- Screening
def test_screening_is_due_where_the_guideline_asks_for_it(ask: Any) -> None:
    found = ask(BODY)
    assert isinstance(found, NotEnoughData)
    assert (found.rule, found.alert) == ("screening-due", True)
    assert found.step == ORDER_HBA1C


@pytest.mark.parametrize(
    ("years", "days", "due"), [(35, 0, True), (35, -1, False), (70, 364, True), (71, 0, False), (34, 0, False)]
)
def test_screening_is_for_35_to_70(years: int, days: int, due: bool, ask: Any) -> None:
    assert (ask(BODY, patient=aged(years, days=days)).rule == "screening-due") is due


@pytest.mark.parametrize(
    ("bmi", "race", "due"),
    [
        (25, (), True),
        (24.9, (), False),
        (23, ("2028-9",), True),
        (23, ("2034-7",), True),
        (22.9, ("2028-9",), False),
        (23, ("2106-3",), False),
        (23, ("2054-5", "UNK"), False),
    ],
)
def test_screening_is_from_bmi_25_or_23_if_asian(bmi: float, race: tuple[str, ...], due: bool, ask: Any) -> None:
    assert (ask(measured("bmi", bmi), patient=person(race_codes=race)).rule == "screening-due") is due


@pytest.mark.parametrize("test", [hba1c, fasting])
def test_a_test_within_36_months_is_enough(test: Any, ask: Any) -> None:
    value = 5.0 if test is hba1c else 90
    assert ask(BODY, test(value, at=months_ago(36))).rule == "screening-due"
    assert ask(BODY, test(value, at=months_ago(36, days=1))).rule != "screening-due"


def test_screening_that_is_ordered_raises_no_card(ask: Any) -> None:
    found = ask(BODY, order())
    assert (found.rule, found.alert) == ("screening-due", False)


def test_without_a_recent_bmi_no_screening_is_said(ask: Any) -> None:
    assert ask(measured("bmi", 31, at=months_ago(12, days=-1))).rule == "not-enough"


def test_what_is_missing_names_the_test_first(ask: Any) -> None:
    found = ask(BODY)
    assert found.missing[0].label == "HbA1c"
    assert "Glucose" in [item.label for item in found.missing]


# --- Criteria before the model
def test_criteria_met_twice_orders_nothing(ask: Any) -> None:
    found = ask(hba1c(6.6, at="2020-01-01"), hba1c(6.7, at="2021-01-01"), glucose(150))
    assert (found.rule, found.alert, found.step) == ("criteria-twice", True, None)


def test_prediabetes_is_info_and_orders_nothing_before_its_time(ask: Any) -> None:
    found = ask(hba1c(6.0), glucose(150), BODY)
    assert (found.rule, found.indicator, found.step) == ("prediabetes", "info", None)


def test_a_normal_hba1c_is_silent_whatever_the_model_says(ask: Any) -> None:
    assert not ask(hba1c(5.0), glucose(190), BODY).alert


def test_an_unreliable_hba1c_is_replaced_by_fasting_glucose(ask: Any) -> None:
    sickle = diagnosis("D57.1", system=ICD10CM)
    found = ask(sickle, hba1c(7.5))
    assert found.rule == "hba1c-unreliable"
    assert found.step.label == "Order fasting plasma glucose"
    assert ask(sickle, glucose(150), BODY).step.label == "Order fasting plasma glucose"
    assert ask(sickle, glucose(150), BODY, order("1558-6")).step is None
    assert ask(sickle, glucose(150), BODY, order("", text="Glucose, fasting")).step is None


def test_an_hba1c_under_a_transfusion_does_not_count_as_tested(ask: Any) -> None:
    transfused = treatment("116859006", start="2025-05-01")
    assert ask(BODY, transfused, hba1c(5.0, at="2025-05-20")).rule == "screening-due"


def test_a_very_high_glucose_is_said_beside_another_finding(ask: Any) -> None:
    cautions = ask(hba1c(6.6, at="2020-01-01"), glucose(350)).cautions
    assert "Glucose 350 mg/dL (1 Mar 2026): ask about thirst, passing much urine and weight loss today." in cautions


# --- Cautions
@pytest.mark.parametrize(
    ("need", "said"), [("medications", "Medications"), ("orders", "Orders"), ("vitals", "Vital signs")]
)
def test_what_could_not_be_read_is_said(need: str, said: str, ask: Any, service: DecisionService) -> None:
    context = chart(glucose(150), BODY, unread=(need,))
    found = ask(glucose(150), BODY, unread=(need,))
    assert f"{said} could not be read from the record." in found.cautions
    assert f"{said} could not be read from the record." in service.cards(found, context)[0].detail


def test_a_doubtful_hba1c_is_said(ask: Any) -> None:
    found = ask(hba1c(6.0), diagnosis("D50.9", system=ICD10CM))
    assert "HbA1c is less certain here (anaemia)." in found.cautions


def test_an_age_beyond_the_survey_is_said(ask: Any) -> None:
    assert any("person of 80" in caution for caution in ask(glucose(99), patient=aged(81)).cautions)
    assert ask(glucose(99), patient=aged(80)).cautions == ()


# --- Every rule
def test_every_outcome_survives_storage(ask: Any) -> None:
    outcomes: list[Outcome] = [ask(glucose(150), BODY), ask(BODY), ask(patient=aged(9)), ask(hba1c(6.6))]
    for outcome in outcomes:
        assert from_json(msgspec.json.encode(outcome)) == outcome


def test_an_empty_record_is_answered(service: DecisionService, model: Model) -> None:
    found = service.assess(chart(), model=model, threshold=0.1)
    assert isinstance(found, NotEnoughData | NotApplicable)


def test_every_rule_that_speaks_stands_in_the_reviewed_list(ask: Any) -> None:
    known = {rule.key for rule in rules.RULES}
    charts: tuple[tuple[Any, ...], ...] = (
        (),
        (BODY,),
        (glucose(150), BODY),
        (glucose(85),),
        (hba1c(6.6),),
        (hba1c(6.6), fasting(130)),
        (fasting(130),),
        (glucose(250),),
        (hba1c(6.0),),
        (hba1c(6.0, at=days_ago(500)),),
        (hba1c(5.0),),
        (diagnosis("44054006"),),
        (diagnosis("D57.1", system=ICD10CM), hba1c(6.0)),
    )
    spoken = {ask(*facts).rule for facts in charts}
    assert len(spoken) == len(charts)
    assert spoken <= known
