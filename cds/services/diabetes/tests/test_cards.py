"""What the clinician reads: short, plain, escaped, one suggestion at most."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.cards import SUMMARY_LIMIT, Card, escape
from cds.codes import FASTING_GLUCOSE_ORDER, HBA1C_ORDER
from cds.detail import brief, per_hundred
from cds.estimate import estimate
from cds.facts import Issue
from cds.finding import Estimate, Finding, Missing, NotApplicable, NotEnoughData, Step
from cds.services.diabetes import cards, rules
from cds.services.diabetes.estimate import inputs
from cds.services.diabetes.features import FEATURES
from cds.services.diabetes.service import ORDER_FASTING_GLUCOSE, ORDER_HBA1C
from cds.services.diabetes.tests.charts import chart, fasting, glucose, hba1c, measured, when
from scoring.shelf import Model

LONGEST_HBA1C = hba1c(139.25, "mmol/mol", at="2026-03-30")
LONGEST_FASTING = fasting(1499.75, at="2026-03-30")
LONGEST_GLUCOSE = glucose(1499.75, at="2026-03-30")
EVIDENCE = {
    "criteria-twice": (LONGEST_FASTING, LONGEST_FASTING),
    "confirm-hba1c": (LONGEST_HBA1C,),
    "confirm-fasting-glucose": (LONGEST_FASTING,),
    "ask-symptoms": (LONGEST_GLUCOSE,),
    "hba1c-unreliable": (LONGEST_HBA1C,),
    "prediabetes": (LONGEST_HBA1C,),
    "prediabetes-retest": (LONGEST_HBA1C,),
    "recently-normal": (LONGEST_HBA1C,),
}
UNANSWERED = ("screening-due", "abstain", "not-enough", "record-unusable")
RECORDS = (chart(), chart(hba1c(5.0, at="1950-09-30")), chart(hba1c(5.0, at="2024-09-30")))


def with_probability(probability: float) -> Estimate:
    return Estimate(
        probability=probability, margin=0, base=0, factors=(), threshold=0.1, model="diabetes-risk", version="1.0.0"
    )


def one(outcome: Any, context: Any = None) -> Card:
    (card,) = cards.cards(outcome, context or chart())
    return card


@pytest.fixture(scope="module")
def answered(model: Model) -> Estimate:
    context = chart(glucose(150), measured("bmi", 31), measured("waist", 70), measured("hdl", 90))
    found = estimate(inputs(context), context, FEATURES, model=model, threshold=0.1)
    assert found is not None
    return found


# --- Summaries
@pytest.mark.parametrize("step", [None, ORDER_HBA1C, ORDER_FASTING_GLUCOSE])
@pytest.mark.parametrize("context", RECORDS)
@pytest.mark.parametrize("rule", [*EVIDENCE, *UNANSWERED])
def test_every_summary_fits_a_card_with_the_longest_values(rule: str, context: Any, step: Step | None) -> None:
    if rule in EVIDENCE:
        card = one(Finding(rule=rule, alert=True, evidence=EVIDENCE[rule], step=step), context)
    else:
        card = one(NotEnoughData(rule=rule, alert=True, missing=(), step=step), context)
    assert len(card.summary) < SUMMARY_LIMIT


@given(probability=st.floats(0, 1), step=st.sampled_from([None, ORDER_HBA1C, ORDER_FASTING_GLUCOSE]))
@pytest.mark.parametrize("context", RECORDS)
@pytest.mark.parametrize("rule", ["model-high", "model-low"])
def test_every_probability_fits_a_card(rule: str, context: Any, probability: float, step: Step | None) -> None:
    card = one(Finding(rule=rule, alert=True, step=step, estimate=with_probability(probability)), context)
    assert len(card.summary) < SUMMARY_LIMIT


def test_a_sentence_exists_for_every_rule_that_can_speak() -> None:
    spoken = {rule.key for rule in rules.RULES} - {"hba1c-doubtful", "look-back", "already-ordered", "snoozed", "truth"}
    for key in spoken - set(EVIDENCE) - set(UNANSWERED) - {"model-high", "model-low"}:
        assert cards.sentence(NotApplicable(rule=key), chart())
    assert spoken >= set(EVIDENCE) | set(UNANSWERED)


def test_frequencies_never_claim_certainty() -> None:
    said = [per_hundred(with_probability(probability)) for probability in (0.004, 0.006, 0.12, 0.994, 0.996)]
    assert said == [
        "Fewer than 1 in 100",
        "About 1 in 100",
        "About 12 in 100",
        "About 99 in 100",
        "More than 99 in 100",
    ]


def test_a_value_is_not_rounded_over_a_cut_off() -> None:
    assert brief(hba1c(6.46)).startswith("HbA1c 6.46 %")
    assert brief(glucose(7.0, "mmol/L")).startswith("Glucose 7 mmol/L")


def test_a_partial_date_is_shown_as_it_was_recorded() -> None:
    assert brief(hba1c(6.6, at="2019")) == "HbA1c 6.6 % (2019)"
    assert brief(hba1c(6.6, at="2019-03")) == "HbA1c 6.6 % (Mar 2019)"
    assert brief(hba1c(6.6, at="2019-03-04")) == "HbA1c 6.6 % (4 Mar 2019)"


def test_a_criterion_is_shown_in_the_unit_that_was_reported() -> None:
    assert "48 mmol/mol" in one(Finding(rule="confirm-hba1c", alert=True, evidence=(hba1c(48, "mmol/mol"),))).summary


# --- When there is a card
@pytest.mark.parametrize(
    "quiet",
    [
        NotApplicable(rule="diagnosed"),
        Finding(rule="model-low", alert=False, estimate=with_probability(0.01)),
        NotEnoughData(rule="not-enough", missing=()),
    ],
)
def test_no_alert_no_card(quiet: Any) -> None:
    assert cards.cards(quiet, chart()) == []


def test_why_the_question_does_not_arise_names_what_the_record_says() -> None:
    said = cards.sentence(NotApplicable(rule="treated", detail="Metformin 500 mg"), chart())
    assert "(Metformin 500 mg)" in said


# --- The suggestion
@pytest.mark.parametrize(("step", "code"), [(ORDER_HBA1C, HBA1C_ORDER), (ORDER_FASTING_GLUCOSE, FASTING_GLUCOSE_ORDER)])
def test_the_suggestion_is_a_draft_order_of_the_test(step: Step, code: Any) -> None:
    card = one(NotEnoughData(rule="screening-due", alert=True, missing=(), step=step))
    (suggestion,) = card.suggestions
    assert suggestion.order.code == code
    assert suggestion.order.patient_id == "1"
    assert suggestion.order.reason == card.summary


def test_nothing_is_suggested_where_the_test_is_ordered() -> None:
    card = one(Finding(rule="confirm-hba1c", alert=True, evidence=(LONGEST_HBA1C,)))
    assert card.suggestions == ()
    assert "already ordered" in card.summary


def test_a_card_can_be_overridden_with_a_reason() -> None:
    assert len(one(NotEnoughData(rule="screening-due", alert=True, missing=())).override_reasons) == 6


# --- The detail
def test_factors_show_value_unit_date_and_contribution(answered: Estimate) -> None:
    detail = one(Finding(rule="model-high", alert=True, estimate=answered)).detail
    share = next(factor for factor in answered.factors if factor.key == "glucose")
    assert f"Glucose 150 mg/dL (1 Mar 2026; about {share.points * 100:+.1f} points" in detail
    assert f"{share.contribution:+.2f} log-odds" in detail
    assert detail.index("**Raises the estimate:**") < detail.index("**Lowers it:**")


def test_what_raises_and_what_lowers_is_told_apart(answered: Estimate) -> None:
    detail = one(Finding(rule="model-high", alert=True, estimate=answered)).detail
    raises, lowers = detail.split("**Lowers it:**")
    assert "log-odds" in lowers
    assert ", -" not in raises.partition("**Raises the estimate:**")[2]


def test_what_is_missing_says_since_when() -> None:
    missing = (Missing(label="HbA1c", last=when("2019-03-04")), Missing(label="Waist"))
    detail = one(NotEnoughData(rule="screening-due", alert=True, missing=missing)).detail
    assert "**Would change the answer most:** HbA1c (last 4 Mar 2019). Also missing: Waist (never measured)." in detail


def test_beside_a_criterion_only_the_model_misses_something() -> None:
    card = one(Finding(rule="prediabetes", alert=True, evidence=(LONGEST_HBA1C,), missing=(Missing(label="Waist"),)))
    assert "**Not known to the model:** Waist (never measured)." in card.detail


def test_what_could_not_be_used_is_said_once() -> None:
    issues = tuple(Issue(need="lipids", reason="HDL cholesterol: no unit", source=f"Observation/{n}") for n in range(9))
    detail = one(NotEnoughData(rule="screening-due", alert=True, missing=()), chart(issues=issues)).detail
    assert detail.count("Lipids, not all usable: HDL cholesterol: no unit.") == 1


def test_many_different_troubles_are_counted() -> None:
    issues = tuple(Issue(need="vitals", reason=f"trouble {n}") for n in range(9))
    detail = one(NotEnoughData(rule="screening-due", alert=True, missing=()), chart(issues=issues)).detail
    assert "Vital signs, not all usable: trouble 4." in detail
    assert "trouble 5" not in detail
    assert "And 4 more entries that could not be used." in detail


def test_the_detail_says_that_software_made_it(answered: Estimate) -> None:
    assert one(Finding(rule="model-high", alert=True, estimate=answered)).detail.endswith(
        "Model diabetes-risk 1.1.0. Estimate by software; it needs clinical judgement."
    )


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("*bold*", r"\*bold\*"),
        ("[x](https://evil.example)", r"\[x\](https\://evil.example)"),
        ("<b>", r"\<b\>"),
        ("`code`", r"\`code\`"),
        ("# title", r"\# title"),
        ("www.evil.example", r"www\.evil.example"),
        ("a\n\n# b", r"a \# b"),
        ("a@b.example", r"a\@b.example"),
        ("&lt;b&gt;", r"\&lt;b\&gt;"),
        ("6.5 % (48 mmol/mol)", "6.5 % (48 mmol/mol)"),
    ],
)
def test_text_of_the_record_is_never_markup(text: str, escaped: str) -> None:
    assert escape(text) == escaped
    assert escaped in one(NotEnoughData(rule="screening-due", alert=True, missing=(), cautions=(text,))).detail


def test_the_model_tells_how_it_was_made(model: Model) -> None:
    about = cards.about(model.facts)
    assert f"{model.facts['trained_on']['n']:,} adults" in about
    assert "not future risk" in about
