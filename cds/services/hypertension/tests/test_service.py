"""The whole decision: criteria first, the model where a measurement is due, words that fit on a card."""

from __future__ import annotations

from typing import Any

import pytest

from cds.cards import SUMMARY_LIMIT
from cds.codes import BLOOD_PRESSURE_ORDER, SNOMED
from cds.context import PatientContext
from cds.facts import Issue
from cds.finding import Finding, NotApplicable, NotEnoughData, Outcome
from cds.services.diabetes.tests.charts import (
    aged,
    chart,
    diagnosis,
    fasting,
    glucose,
    measured,
    months_ago,
    order,
    person,
    stay,
)
from cds.services.hypertension.cards import _NOT_APPLICABLE, OVERRIDE_REASONS
from cds.services.hypertension.estimate import inputs
from cds.services.hypertension.rules import LOOK_BACK_MONTHS, RULES, SNOOZES, THRESHOLD
from cds.services.hypertension.service import CONFIRM, MEASURE, HypertensionRisk
from cds.services.hypertension.tests.charts import pressure
from scoring.shelf import Model

SERVICE = HypertensionRisk()
BODY = (measured("bmi", 34), measured("waist", 112))
LIPIDS = (measured("total_cholesterol", 230), measured("hdl", 41))  # without them the model abstains
OLD, YOUNG = aged(74), aged(24)


def asked(context: PatientContext, model: Model | None, *, threshold: float = THRESHOLD) -> Outcome:
    return SERVICE.assess(context, model=model, threshold=threshold)


def card_of(outcome: Outcome, context: PatientContext) -> Any:
    (card,) = SERVICE.cards(outcome, context)
    return card


# --- The model decides where a measurement is due
def test_somebody_of_whom_it_is_likely_gets_a_card_that_asks_for_a_measurement(model: Model) -> None:
    context = chart(*BODY, *LIPIDS, patient=OLD)
    outcome = asked(context, model)
    assert isinstance(outcome, Finding)
    assert (outcome.rule, outcome.alert, outcome.step) == ("model-high", True, MEASURE)
    card = card_of(outcome, context)
    assert "in 100 similar adults in a US survey had 140/90 or more. Measure it." in card.summary
    assert "**Would change the answer most:** Blood pressure (never measured)." in card.detail
    assert card.suggestions[0].order.code == BLOOD_PRESSURE_ORDER
    assert card.suggestions[0].order.category is None


def test_somebody_of_whom_it_is_unlikely_gets_none_but_the_page_says_that_it_is_due(model: Model) -> None:
    context = chart(measured("bmi", 21), measured("waist", 70), *LIPIDS, patient=YOUNG)
    outcome = asked(context, model)
    assert isinstance(outcome, Finding)
    assert (outcome.rule, outcome.alert) == ("model-low", False)
    assert SERVICE.cards(outcome, context) == []
    assert "Measuring is due all the same" in SERVICE.sentence(outcome, context)


def test_a_measurement_that_is_ordered_is_not_asked_for_again(model: Model) -> None:
    outcome = asked(chart(*BODY, *LIPIDS, order(BLOOD_PRESSURE_ORDER.code, start=months_ago(1)), patient=OLD), model)
    assert isinstance(outcome, Finding)
    assert (outcome.alert, outcome.step) == (False, None)


def test_where_the_model_abstains_the_guideline_speaks(model: Model) -> None:
    context = chart(*BODY, patient=OLD)
    outcome = asked(context, model)
    assert isinstance(outcome, NotEnoughData)
    assert (outcome.rule, outcome.alert, outcome.step) == ("screening-due", True, MEASURE)
    assert "due by the guideline" in card_of(outcome, context).summary


def test_another_threshold_alerts_others(model: Model) -> None:
    outcome = asked(chart(*BODY, *LIPIDS, patient=OLD), model)
    assert isinstance(outcome, Finding)
    assert outcome.estimate is not None
    at = outcome.estimate.probability
    assert SERVICE.alerts_at(outcome, at)
    assert not SERVICE.alerts_at(outcome, at + 0.01)
    confirm = asked(chart(*pressure(150, 92)), model)
    assert SERVICE.alerts_at(confirm, 0.99)


# --- Where a pressure was measured nobody estimates it
def test_a_measured_pressure_is_not_estimated(model: Model) -> None:
    for systolic in (120, 150, 190):
        outcome = asked(chart(*pressure(systolic, 80)), model)
        assert isinstance(outcome, Finding)
        assert outcome.estimate is None
        assert SERVICE.records(outcome, chart(), assessment_id="a", at=chart().now) == []


def test_a_raised_reading_asks_for_confirmation_outside_the_clinic(model: Model) -> None:
    context = chart(*pressure(150, 92))
    card = card_of(asked(context, model), context)
    assert card.summary == (
        "Pressure 150/92 mmHg (1 Mar 2026) was 140/90 or more, no diagnosis recorded. Confirm outside the clinic."
    )
    assert card.suggestions[0].order.code == CONFIRM.order


def test_a_confirmation_that_is_ordered_is_not_asked_for_again(model: Model) -> None:
    context = chart(*pressure(150, 92), order(CONFIRM.order.code, system=SNOMED, start=months_ago(1)))
    card = card_of(asked(context, model), context)
    assert "already ordered" in card.summary
    assert card.suggestions == ()


def test_a_severe_reading_asks_for_another_today(model: Model) -> None:
    context = chart(*pressure(192, 104))
    outcome = asked(context, model)
    assert isinstance(outcome, Finding)
    assert (outcome.indicator, outcome.step) == ("warning", MEASURE)
    assert "Measure again today" in card_of(outcome, context).summary


def test_a_normal_reading_is_silence(model: Model) -> None:
    context = chart(*pressure(118, 76))
    assert SERVICE.cards(asked(context, model), context) == []


def test_a_pressure_that_cannot_be_used_is_said(model: Model) -> None:
    context = chart(issues=(Issue(need="vitals", reason="Systolic pressure: no unit", analyte="systolic"),))
    outcome = asked(context, model)
    assert outcome.rule == "record-unusable"
    assert "could not be used" in card_of(outcome, context).summary


# --- Words
LONGEST = [*pressure(299.5, 199.5, at="2026-03-30"), *pressure(299.5, 199.5, at="2026-03-29")]


@pytest.mark.parametrize("step", [None, MEASURE, CONFIRM])
@pytest.mark.parametrize("context", [chart(), chart(*LONGEST), chart(*pressure(120, 70, at="2003-09-30"))])
@pytest.mark.parametrize(
    "key", ["severe", "criteria-twice", "confirm", "recently-normal", "model-high", "model-low", "record-unusable"]
)
def test_every_summary_fits(key: str, context: PatientContext, step: Any, model: Model) -> None:
    guess = asked(chart(*BODY, *LIPIDS, patient=OLD), model).estimate  # type: ignore[union-attr]
    outcome = Finding(rule=key, alert=True, evidence=tuple(LONGEST), step=step, estimate=guess)
    assert 0 < len(SERVICE.sentence(outcome, context)) < SUMMARY_LIMIT
    open_ = NotEnoughData(rule="screening-due", alert=True, missing=(), step=step)
    assert 0 < len(SERVICE.sentence(open_, context)) < SUMMARY_LIMIT


@pytest.mark.parametrize("rule", _NOT_APPLICABLE)
def test_who_is_left_out_reads_why(rule: str) -> None:
    assert SERVICE.sentence(NotApplicable(rule=rule), chart()).strip()
    assert SERVICE.cards(NotApplicable(rule=rule), chart()) == []


def test_every_answer_has_its_rule_for_review() -> None:
    said = {*_NOT_APPLICABLE, "severe", "criteria-twice", "confirm", "recently-normal", "model-high", "model-low"}
    assert said | {"screening-due", "record-unusable"} <= {rule.key for rule in RULES}


def test_every_snooze_belongs_to_a_reason() -> None:
    assert set(SNOOZES) <= {reason.code.code for reason in OVERRIDE_REASONS}


def test_doubts_are_said(model: Model) -> None:
    context = chart(diagnosis("", text="Hypertension"), patient=aged(88), unread=("medications",))
    said = card_of(asked(context, model), context).detail
    assert "of a person of 80" in said
    assert "mentions hypertension" in said
    assert "Medications could not be read" in said


# --- What the model sees
@pytest.mark.parametrize(("key", "months"), LOOK_BACK_MONTHS.items())
def test_each_input_has_its_look_back(key: str, months: int) -> None:
    fact = {"bmi": 27, "waist": 95, "glucose": 95, "total_cholesterol": 200, "hdl": 50, "triglycerides": 120}[key]
    assert key in inputs(chart(measured(key, fact, at=months_ago(months)))).observed
    assert key not in inputs(chart(measured(key, fact, at=months_ago(months, days=-1)))).observed


def test_a_glucose_of_a_hospital_stay_is_not_seen_and_a_fasting_one_is() -> None:
    ward = stay("IMP", start="2026-02-27", end="2026-03-03")
    assert "glucose" not in inputs(chart(ward, glucose(180))).observed
    assert "glucose" in inputs(chart(fasting(99))).observed


def test_without_a_model_to_ask_there_is_no_row(model: Model) -> None:
    assert SERVICE.row(chart(diagnosis("38341003"))) is None
    assert SERVICE.row(chart(*pressure(120, 70))) is None
    row = SERVICE.row(chart(*BODY))
    assert row is not None
    assert row[:4] == (52, 0, 34, 112)


def test_a_caller_must_send_age_and_sex() -> None:
    assert SERVICE.lacking(chart(patient=person(sex="unknown"))) == ("sex",)
    assert SERVICE.lacking(chart()) == ()
