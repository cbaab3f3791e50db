"""What a record says in unusual ways is neither lost nor taken for an all-clear."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from cds.context import PatientContext
from cds.facts import Issue, Observed
from cds.finding import Finding, NotApplicable, NotEnoughData, Outcome
from cds.registry import get
from cds.services.diabetes.chart import exclusion
from cds.services.diabetes.tests.charts import (
    NOW,
    chart,
    days_ago,
    diagnosis,
    drug,
    fasting,
    glucose,
    hba1c,
    measured,
    months_ago,
    order,
    stay,
)
from scoring.shipped import shipped_model


def assessed(context: PatientContext) -> Outcome:
    return get("diabetes-risk").assess(context, model=shipped_model("diabetes-risk"), threshold=0.1)


def limit(fact: Observed, comparator: str) -> Observed:
    return replace(
        fact,
        reported=replace(fact.reported, comparator=comparator),
        quantity=replace(fact.quantity, comparator=comparator),
    )


def test_an_hba1c_above_14_is_above_6_point_5() -> None:
    outcome = assessed(chart(limit(hba1c(14), ">"), hba1c(5.5, at=days_ago(1))))
    assert isinstance(outcome, Finding)
    assert (outcome.rule, outcome.alert) == ("confirm-hba1c", True)


def test_a_glucose_above_600_asks_about_symptoms_and_is_no_input_of_the_model() -> None:
    outcome = assessed(chart(limit(glucose(600), ">")))
    assert isinstance(outcome, Finding)
    assert outcome.rule == "ask-symptoms"
    shares = outcome.estimate.factors if outcome.estimate else ()
    assert not [share for share in shares if share.key == "glucose" and share.quantity]


def test_a_lower_limit_of_the_wrong_side_reaches_nothing() -> None:
    assert not isinstance(assessed(chart(limit(hba1c(14), "<"))), Finding)


@pytest.mark.parametrize("reason", ["HbA1c: no unit", "not readable ($.valueQuantity.value)", "dated in the future"])
def test_an_hba1c_that_cannot_be_used_is_said_on_a_card(reason: str) -> None:
    context = chart(issues=(Issue(need="hba1c", reason=reason, source="Observation/1"),))
    outcome = assessed(context)
    (card,) = get("diabetes-risk").cards(outcome, context)
    assert "could not be used" in card.summary


def test_a_preliminary_hba1c_is_waited_for_and_not_called_absent() -> None:
    context = chart(issues=(Issue(need="hba1c", reason="HbA1c: status preliminary"),))
    outcome = assessed(context)
    assert isinstance(outcome, NotEnoughData)
    assert outcome.rule != "record-unusable"
    assert "No usable HbA1c" in get("diabetes-risk").sentence(outcome, context)


def test_diagnoses_that_cannot_be_read_are_said_on_a_card() -> None:
    context = chart(glucose(90), issues=(Issue(need="conditions", reason="not readable ($.code)"),))
    (card,) = get("diabetes-risk").cards(assessed(context), context)
    assert "diabetes may be on record already" in card.summary


@pytest.mark.parametrize("text", ["Synjardy 5/1000", "Xigduo XR", "Basaglar KwikPen", "GLP-1 pen (metformin 1000 MG)"])
def test_a_brand_is_treatment_too(text: str) -> None:
    assert exclusion(chart(drug(text))) == NotApplicable(rule="treated", detail=text)


@pytest.mark.parametrize("code", ["Z79.4", "Z7984", "Z79.85"])
def test_long_term_treatment_on_the_problem_list_is_treatment(code: str) -> None:
    system = "http://hl7.org/fhir/sid/icd-10-cm"
    found = exclusion(chart(diagnosis(code, system=system)))
    assert found is not None
    assert found.rule == "treated"


def test_an_entry_without_a_code_that_names_diabetes_is_mentioned() -> None:
    outcome = assessed(chart(glucose(90), replace(diagnosis(""), text="Type 2 diabetes mellitus")))
    assert isinstance(outcome, Finding)
    assert any("without a code mentions diabetes" in caution for caution in outcome.cautions)


def test_an_old_bmi_gives_way_to_a_fresh_weight_that_agrees_with_it() -> None:
    old = measured("bmi", 31, at=months_ago(40))
    height = measured("height", 175, at=months_ago(40))
    outcome = assessed(chart(old, height, measured("weight", 95, at=days_ago(2))))
    assert isinstance(outcome, NotEnoughData)
    assert outcome.rule == "screening-due"


def test_an_order_whose_result_is_there_does_not_hide_the_confirming_test() -> None:
    outcome = assessed(chart(hba1c(8.2, at=days_ago(5)), order(start=days_ago(14))))
    assert isinstance(outcome, Finding)
    assert outcome.step is not None


@pytest.mark.parametrize("fact", [hba1c(6.0, at=months_ago(20))])
def test_a_retest_that_is_ordered_asks_for_nothing(fact: Observed) -> None:
    outcome = assessed(chart(fact, order(start=days_ago(3))))
    assert isinstance(outcome, Finding)
    assert (outcome.rule, outcome.alert) == ("prediabetes-retest", False)


def test_a_stay_that_is_planned_to_end_later_is_still_a_stay() -> None:
    planned: dict[str, Any] = {"start": days_ago(1), "end": days_ago(-3), "status": "in-progress"}
    found = exclusion(chart(stay("IMP", **planned)))
    assert found is not None
    assert found.rule == "in-hospital"


def test_a_stay_that_nobody_closed_for_years_excludes_nobody() -> None:
    forgotten = stay("IMP", start="2015-03-01", status="in-progress")
    assert exclusion(chart(forgotten)) is None
    outcome = assessed(chart(forgotten, fasting(140, at=days_ago(10))))
    assert isinstance(outcome, Finding)
    assert outcome.rule == "confirm-fasting-glucose"


def test_the_clock_of_these_tests_is_not_in_utc() -> None:
    assert NOW.utcoffset()
