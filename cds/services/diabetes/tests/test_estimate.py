"""What the model sees of a chart, and how its answer explains itself."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from cds.estimate import Inputs, estimate
from cds.facts import Observed
from cds.finding import Estimate
from cds.services.diabetes.estimate import inputs
from cds.services.diabetes.features import FEATURES, KEYS
from cds.services.diabetes.tests.charts import (
    aged,
    chart,
    days_ago,
    fasting,
    glucose,
    measured,
    months_ago,
    person,
    stay,
)
from scoring.shelf import Model

TWELVE = {
    "glucose": ("mg/dL", 95),
    "bmi": ("kg/m2", 27),
    "waist": ("cm", 95),
    "systolic": ("mm[Hg]", 130),
    "diastolic": ("mm[Hg]", 80),
}
THIRTY_SIX = {"total_cholesterol": ("mg/dL", 200), "hdl": ("mg/dL", 50), "triglycerides": ("mg/dL", 120)}
WHOLE = TWELVE | THIRTY_SIX


def whole_chart(**more: Any) -> Any:
    return chart(*(measured(key, value, unit) for key, (unit, value) in WHOLE.items()), **more)


def seen(*facts: Any, **more: Any) -> Inputs:
    return inputs(chart(*facts, **more))


def guess(context: Any, model: Model) -> Estimate:
    found = estimate(inputs(context), context, FEATURES, model=model, threshold=0.1)
    assert found is not None
    return found


# --- Look-back
@pytest.mark.parametrize(("key", "unit_and_value"), TWELVE.items())
def test_the_model_looks_back_twelve_months(key: str, unit_and_value: tuple[str, float]) -> None:
    unit, value = unit_and_value
    assert key in seen(measured(key, value, unit, at=months_ago(12))).observed
    assert key not in seen(measured(key, value, unit, at=months_ago(12, days=-1))).observed


@pytest.mark.parametrize(("key", "unit_and_value"), THIRTY_SIX.items())
def test_the_model_looks_back_thirty_six_months_for_lipids(key: str, unit_and_value: tuple[str, float]) -> None:
    unit, value = unit_and_value
    assert key in seen(measured(key, value, unit, at=months_ago(36))).observed
    assert key not in seen(measured(key, value, unit, at=months_ago(36, days=-1))).observed


def test_an_old_value_is_missing_with_its_date() -> None:
    missing = {item.label: item.last for item in seen(measured("waist", 95, at="2020-02")).missing}
    assert missing["Waist"] is not None
    assert missing["Waist"].words == "Feb 2020"
    assert missing["Glucose"] is None


def test_the_newest_value_is_used() -> None:
    newest = seen(glucose(90, at="2025-09-01"), fasting(110, at="2026-03-01")).observed["glucose"]
    assert newest.quantity.value == 110


# --- What does not count
def test_glucose_of_a_hospital_stay_is_not_seen() -> None:
    ward = stay("IMP", start="2026-02-27", end="2026-03-03")
    assert not seen(ward, glucose(180)).glucose_known


def test_whole_blood_is_seen_and_said() -> None:
    found = seen(measured("blood_glucose", 105))
    assert found.glucose_known
    assert "whole blood" in found.cautions[0]


def test_a_contradictory_pressure_is_no_pressure() -> None:
    found = seen(measured("systolic", 80), measured("diastolic", 120))
    assert not {"systolic", "diastolic"} & set(found.observed)
    assert math.isnan(found.row[KEYS.index("systolic")])


# --- BMI
def bmi(*facts: Observed, **more: Any) -> float:
    return seen(*facts, **more).observed["bmi"].quantity.value


def test_bmi_is_computed_where_nobody_charted_it() -> None:
    assert bmi(measured("height", 170, at="2019-01-01"), measured("weight", 86.7)) == 30.0
    assert bmi(measured("height", 66.93, "[in_i]"), measured("weight", 191.1, "[lb_av]")) == 30.0


def test_bmi_is_computed_where_the_charted_one_is_off_by_more_than_five_percent() -> None:
    body = (measured("height", 170), measured("weight", 86.7))
    assert bmi(*body, measured("bmi", 28.6)) == 28.6
    assert bmi(*body, measured("bmi", 28.4)) == 30.0


def test_a_newer_charted_bmi_is_kept() -> None:
    old_body = (measured("height", 170, at="2025-06-01"), measured("weight", 86.7, at="2025-06-01"))
    assert bmi(*old_body, measured("bmi", 26, at="2026-02-01")) == 26


def test_a_childs_height_computes_nothing() -> None:
    young = {"patient": aged(25)}
    assert "bmi" not in seen(measured("height", 120, at="2010-01-01"), measured("weight", 80), **young).observed
    assert bmi(measured("height", 170, at="2022-01-01"), measured("weight", 86.7), **young) == 30.0


# --- The estimate
def test_contributions_add_up_to_the_margin(model: Model) -> None:
    found = guess(whole_chart(), model)
    total = found.base + sum(factor.contribution for factor in found.factors)
    assert total == pytest.approx(found.margin, abs=1e-6)
    assert found.probability == pytest.approx(1 / (1 + math.exp(-found.margin)), abs=1e-9)


def test_points_add_up_to_the_probability(model: Model) -> None:
    found = guess(whole_chart(), model)
    at_base = 1 / (1 + math.exp(-found.base))
    assert sum(factor.points for factor in found.factors) == pytest.approx(found.probability - at_base, abs=1e-9)


def test_every_measured_factor_has_value_unit_date_and_source(model: Model) -> None:
    factors = {factor.key: factor for factor in guess(whole_chart(), model).factors}
    assert tuple(factors) == KEYS
    for key, (unit, value) in WHOLE.items():
        quantity, when = factors[key].quantity, factors[key].when
        assert quantity is not None
        assert (quantity.value, quantity.unit) == (value, unit)
        assert when is not None
        assert when.words == "1 Mar 2026"
        assert factors[key].source.startswith("Observation/")


def test_a_missing_factor_says_so(model: Model) -> None:
    factors = {factor.key: factor for factor in guess(chart(glucose(95)), model).factors}
    assert factors["waist"].text == "not known"
    assert factors["waist"].quantity is None
    assert factors["age"].text == "52 years"


def test_glucose_names_what_was_measured(model: Model) -> None:
    def label(fact: Observed) -> str:
        return next(factor.label for factor in guess(chart(fact), model).factors if factor.key == "glucose")

    assert label(glucose(95)) == "Glucose"
    assert label(fasting(95)) == "Glucose (fasting)"
    assert label(measured("blood_glucose", 95)) == "Glucose (whole blood)"


def test_a_higher_glucose_gives_a_higher_probability(model: Model) -> None:
    assert guess(chart(glucose(190)), model).probability > guess(chart(glucose(90)), model).probability


def test_age_is_capped_as_in_the_survey(model: Model) -> None:
    assert (
        guess(chart(glucose(99), patient=aged(97)), model).margin
        == guess(chart(glucose(99), patient=aged(80)), model).margin
    )


@pytest.mark.parametrize("sex", ["unknown", "other"])
def test_an_unknown_sex_is_missing_and_answered(sex: str, model: Model) -> None:
    context = chart(glucose(99), patient=person(sex=sex))
    assert math.isnan(inputs(context).row[KEYS.index("sex")])
    assert guess(context, model).peers is None


def test_peers_are_of_the_same_sex_and_age(model: Model) -> None:
    found = guess(chart(glucose(99)), model)
    assert found.peers is not None
    assert found.peers_text.startswith("women aged 5")


def test_everyone_of_known_sex_has_peers(model: Model) -> None:
    for years in (18, 40, 65, 80, 104):
        assert guess(chart(glucose(99), patient=aged(years)), model).peers is not None, years


def test_where_the_model_was_off_it_abstains(model: Model) -> None:
    context = whole_chart()
    pattern = inputs(context).pattern
    patterns = {**model.facts["patterns"], pattern: {**model.facts["patterns"][pattern], "abstain": True}}
    humble = replace(model, facts={**model.facts, "patterns": patterns})
    assert estimate(inputs(context), context, FEATURES, model=humble, threshold=0.1) is None


def test_every_pattern_of_missing_data_has_its_figures(model: Model) -> None:
    for days in range(32):
        groups = [group for bit, group in enumerate(("bmi", "glucose", "hdl", "systolic", "waist")) if days >> bit & 1]
        context = chart(*(measured(key, WHOLE[key][1], WHOLE[key][0], at=days_ago(9)) for key in groups))
        assert inputs(context).pattern in model.facts["patterns"]
