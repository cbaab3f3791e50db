"""What "Save to chart" keeps: present disease, in a code of our own, on a basis that can be named."""

from __future__ import annotations

import pytest

from cds.codes import OURS
from cds.finding import Estimate, Finding, NotApplicable, NotEnoughData
from cds.records import ObservationRecord, ReportRecord, RiskAssessmentRecord
from cds.service import DecisionService
from cds.services.diabetes.service import DiabetesRisk
from cds.services.diabetes.tests.charts import NOW, chart, glucose, measured
from scoring.shelf import Model

Kept = tuple[ObservationRecord, RiskAssessmentRecord, ReportRecord]
CONTEXT = chart(glucose(150), measured("bmi", 31, at="2026-02"))
NEVER = {"94560-0", "8302-2", "44054006"}  # what examples in the wild write instead


@pytest.fixture
def kept(model: Model) -> Kept:
    service: DecisionService = DiabetesRisk()
    outcome = service.assess(CONTEXT, model=model, threshold=0.1)
    observation, risk, text = service.records(outcome, CONTEXT, assessment_id="a-1", at=NOW)
    assert isinstance(observation, ObservationRecord)
    assert isinstance(risk, RiskAssessmentRecord)
    assert isinstance(text, ReportRecord)
    return observation, risk, text


def test_the_outcome_is_a_code_of_our_own(kept: Kept) -> None:
    observation, risk, text = kept
    codes = (observation.code, risk.outcome, text.outcome)
    assert all(code.system.startswith(OURS) for code in codes)
    assert not {code.code for code in codes} & NEVER
    assert risk.outcome_text == "HbA1c >= 6.5 %, diabetes not diagnosed"


def test_percent_is_percent_and_a_fraction_is_a_fraction(
    kept: Kept,
) -> None:
    observation, risk, _ = kept
    assert observation.value.unit == "%"
    assert observation.value.value == round(risk.probability * 100, 1)
    assert 0 < risk.probability < 1


def test_the_basis_names_each_measurement_once(
    kept: Kept,
) -> None:
    _, risk, _ = kept
    sources = {fact.source for key in ("glucose", "bmi") for fact in CONTEXT.all(key)}
    assert set(risk.basis) == sources
    assert len(risk.basis) == len(sources)


def test_the_rationale_gives_value_unit_date_and_contribution(
    kept: Kept,
) -> None:
    _, risk, _ = kept
    assert "Glucose 150 mg/dL (2026-03-01), +" in risk.rationale
    assert "BMI 31 kg/m² (2026-02), +" in risk.rationale
    assert "log-odds" in risk.rationale


@pytest.mark.parametrize(
    ("probability", "level"), [(0.2, "high"), (0.1999, "moderate"), (0.1, "moderate"), (0.0999, "low")]
)
def test_the_level_is_relative_to_the_threshold(probability: float, level: str) -> None:
    estimate = Estimate(probability=probability, margin=0, base=0, factors=(), threshold=0.1, model="m", version="1")
    finding = Finding(rule="model-low", alert=False, estimate=estimate)
    _, risk, _ = DiabetesRisk().records(finding, CONTEXT, assessment_id="a-1", at=NOW)
    assert isinstance(risk, RiskAssessmentRecord)
    assert risk.qualitative == level


def test_without_an_estimate_nothing_is_kept() -> None:
    assert DiabetesRisk().records(NotApplicable(rule="child"), CONTEXT, assessment_id="a-1", at=NOW) == []
    assert DiabetesRisk().records(NotEnoughData(rule="abstain", missing=()), CONTEXT, assessment_id="a-1", at=NOW) == []
