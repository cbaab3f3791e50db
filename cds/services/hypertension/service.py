"""The decision: who is left out, then the guidelines' criteria, then the model. The words are in cards.py."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from cds import analytes
from cds.cards import Card
from cds.circumstances import ordered
from cds.codes import BLOOD_PRESSURE_ORDER, PREGNANCY_STATUS
from cds.context import PatientContext
from cds.detail import title
from cds.estimate import Inputs, estimate
from cds.finding import Estimate, Finding, Missing, NotEnoughData, Outcome, Step
from cds.needs import Need
from cds.registry import register
from cds.service import DecisionService, Record, Trend, Truth
from cds.services.hypertension import cards, chart, criteria, features, report, rules, value_sets
from cds.services.hypertension.attributes import ATTRIBUTES
from cds.services.hypertension.estimate import inputs
from cds.services.hypertension.truth import truth
from scoring.shelf import Model

# Neither is a laboratory's work, so the orders are of no category.
MEASURE = Step(
    label="Order a blood pressure measurement",
    order=BLOOD_PRESSURE_ORDER,
    display="Blood pressure panel with all children optional",
    category=None,
)
CONFIRM = Step(
    label="Order ambulatory blood pressure monitoring",
    order=value_sets.AMBULATORY,
    display="Ambulatory blood pressure recording",
    category=None,
)


@register
class HypertensionRisk(DecisionService):
    """Finds raised pressure that nobody has found; it does not foretell the future."""

    id = "hypertension-risk"
    version = "1.0.0"
    title = "High blood pressure that nobody has found yet"
    subject = "undiagnosed high blood pressure"
    description = (
        "Could this adult, who has no hypertension diagnosis and no recent pressure on record, have high blood pressure "
        "now? Guideline criteria first, then a model trained on a US population survey. Advisory: it supports and never "
        "replaces clinical judgement."
    )
    hooks = ("patient-view",)
    model = "hypertension-risk"
    snoozes = rules.SNOOZES
    threshold = rules.THRESHOLD
    source_attributes = ATTRIBUTES
    needs = (
        Need.patient(),
        Need.resources("conditions", "Condition", required=True),
        Need.observations(
            "vitals",
            *(analytes.BMI, analytes.HEIGHT, analytes.WEIGHT, analytes.WAIST, analytes.SYSTOLIC, analytes.DIASTOLIC),
            category="vital-signs",
            required=True,
        ),
        Need.observations(
            "glucose", analytes.GLUCOSE, analytes.FASTING_GLUCOSE, analytes.BLOOD_GLUCOSE, category="laboratory"
        ),
        Need.observations(
            "lipids", analytes.TOTAL_CHOLESTEROL, analytes.HDL, analytes.TRIGLYCERIDES, category="laboratory"
        ),
        Need.statement("pregnancy", PREGNANCY_STATUS, category="social-history"),
        Need.resources("medications", "MedicationRequest"),
        Need.resources("orders", "ServiceRequest"),
        Need.resources("procedures", "Procedure"),
        Need.resources("encounters", "Encounter"),
    )
    trends = (
        Trend(
            analytes=("systolic", "diastolic"),
            title="Blood pressure",
            unit="mm[Hg]",
            cut_offs={rules.RAISED_SYSTOLIC: "raised", rules.RAISED_DIASTOLIC: "raised"},
        ),
        Trend(analytes=("bmi",), title="BMI", unit="kg/m2", cut_offs={25: "overweight", 30: "obesity"}),
    )
    rules = rules.RULES

    def assess(self, context: PatientContext, *, model: Model | None, threshold: float) -> Outcome:
        if out := chart.exclusion(context):
            return out
        found = inputs(context)
        if finding := criteria.finding(context):  # a pressure was measured: nobody needs an estimate of it
            step = _step(context, finding.rule)
            return replace(finding, step=step, cautions=_cautions(context, found))
        guess = estimate(found, context, features.FEATURES, model=model, threshold=threshold) if model else None
        return self._by_model(context, found, guess, threshold)

    def lacking(self, context: PatientContext) -> tuple[str, ...]:
        """Age and sex: with both the model knows nearly all that it can."""
        there = {"age": context.age is not None, "sex": context.patient.sex in {"male", "female"}}
        return tuple(name for name, known in there.items() if not known)

    def _by_model(self, context: PatientContext, found: Inputs, guess: Estimate | None, threshold: float) -> Outcome:
        step = _step(context, "screening-due")
        more: dict[str, Any] = {
            "estimate": guess,
            "missing": _missing(context, found),
            "cautions": _cautions(context, found),
        }
        if chart.unusable(context):
            return NotEnoughData(rule="record-unusable", alert=True, step=step, **more)
        if guess is None:
            return NotEnoughData(rule="screening-due", alert=step is not None, step=step, **more)
        high = guess.probability >= threshold
        rule = "model-high" if high else "model-low"
        return Finding(rule=rule, alert=high and step is not None, step=step if high else None, **more)

    def cards(self, outcome: Outcome, context: PatientContext) -> list[Card]:
        return cards.cards(outcome, context)

    def sentence(self, outcome: Outcome, context: PatientContext) -> str:
        return cards.sentence(outcome, context)

    def records(self, outcome: Outcome, context: PatientContext, *, assessment_id: str, at: datetime) -> list[Record]:
        said = self.sentence(outcome, context)
        return [*report.ESTIMATED.records(outcome, context, said=said, assessment_id=assessment_id, at=at)]

    def about(self, facts: Mapping[str, Any]) -> str:
        return cards.about(facts)

    def row(self, context: PatientContext) -> tuple[float, ...] | None:
        """Where somebody is left out or a criterion speaks, the model is not asked."""
        return None if chart.exclusion(context) or criteria.finding(context) else inputs(context).row

    def truth(self, context: PatientContext, *, since: datetime) -> Truth | None:
        return truth(context, since=since)


def _step(context: PatientContext, rule: str) -> Step | None:
    """What to order; None if it is ordered already or there is nothing to do."""
    results = context.all("systolic")
    if rule in {"criteria-twice", "confirm"}:
        there = ordered(context, value_sets.AMBULATORY_TEST, "ambulatory", "pressure", results=())
        return None if there else CONFIRM
    if rule == "recently-normal":
        return None
    return None if ordered(context, value_sets.PRESSURE_TEST, "blood", "pressure", results=results) else MEASURE


def _missing(context: PatientContext, found: Inputs) -> tuple[Missing, ...]:
    """The pressure itself first: it would settle the question."""
    last = next((fact.when for fact in context.all("systolic")), None)
    return (Missing(label="Blood pressure", last=last), *found.missing)


def _cautions(context: PatientContext, found: Inputs) -> tuple[str, ...]:
    """What the reader must know beside the answer."""
    said = []
    if context.age and context.age > features.OLDEST_AGE:
        said.append(f"The estimate is that of a person of {features.OLDEST_AGE}: the survey names no higher age.")
    if chart.uncoded_hypertension(context):
        said.append("An entry without a code mentions hypertension: look at the problem list.")
    said += [f"{title(key)} could not be read from the record." for key in context.unread]
    return (*said, *found.cautions)
