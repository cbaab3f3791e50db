"""The decision: who is left out, then the guideline's criteria, then the model. The words are in cards.py."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from cds import analytes
from cds.cards import Card
from cds.circumstances import ordered
from cds.codes import FASTING_GLUCOSE_ORDER, HBA1C_ORDER, PREGNANCY_STATUS
from cds.context import PatientContext
from cds.detail import brief, title
from cds.estimate import Inputs, bmi_known, estimate
from cds.finding import Estimate, Finding, Missing, NotEnoughData, Outcome, Step
from cds.needs import ArchiveNeed, Need
from cds.registry import register
from cds.service import DecisionService, Record, Trend, Truth
from cds.services.diabetes import cards, chart, criteria, features, report, rules, value_sets
from cds.services.diabetes.attributes import ATTRIBUTES
from cds.services.diabetes.estimate import inputs
from cds.services.diabetes.truth import truth
from scoring.shelf import Model

ORDER_HBA1C = Step(label="Order HbA1c", order=HBA1C_ORDER, display="Hemoglobin A1c/Hemoglobin.total in Blood")
ORDER_FASTING_GLUCOSE = Step(
    label="Order fasting plasma glucose", order=FASTING_GLUCOSE_ORDER, display="Fasting glucose in Serum or Plasma"
)


@register
class DiabetesRisk(DecisionService):
    """Finds present disease that nobody has found; it does not foretell the future."""

    id = "diabetes-risk"
    version = "1.0.0"
    title = "Diabetes that nobody has found yet"
    subject = "undiagnosed diabetes"
    description = (
        "Could this adult, who has no diabetes diagnosis, have diabetes now? Guideline criteria first, then a model "
        "trained on a US population survey. Advisory: it supports and never replaces clinical judgement."
    )
    hooks = ("patient-view",)
    model = "diabetes-risk"
    snoozes = rules.SNOOZES
    threshold = rules.THRESHOLD
    source_attributes = ATTRIBUTES
    rules = rules.RULES
    needs = (
        Need.patient(),
        Need.resources("conditions", "Condition", required=True),
        Need.observations("hba1c", analytes.HBA1C, category="laboratory", required=True),
        Need.observations(
            "glucose", analytes.GLUCOSE, analytes.FASTING_GLUCOSE, analytes.BLOOD_GLUCOSE, category="laboratory"
        ),
        Need.observations(
            "lipids", analytes.TOTAL_CHOLESTEROL, analytes.HDL, analytes.TRIGLYCERIDES, category="laboratory"
        ),
        Need.observations(
            "vitals",
            *(analytes.BMI, analytes.HEIGHT, analytes.WEIGHT, analytes.WAIST, analytes.SYSTOLIC, analytes.DIASTOLIC),
            category="vital-signs",
        ),
        Need.statement("pregnancy", PREGNANCY_STATUS, category="social-history"),
        Need.resources("medications", "MedicationRequest"),
        Need.resources("orders", "ServiceRequest"),
        Need.resources("procedures", "Procedure"),
        Need.resources("encounters", "Encounter"),
    )
    asked_again_by = ("hba1c", "glucose")
    trends = (
        Trend(analytes=("hba1c",), title="HbA1c", unit="%", cut_offs={5.7: "prediabetes", 6.5: "diabetes"}),
        Trend(
            analytes=("glucose", "fasting_glucose", "blood_glucose"),
            title="Glucose",
            unit="mg/dL",
            cut_offs={126: "diabetes if fasting", 200: "ask about symptoms"},
        ),
        Trend(analytes=("bmi",), title="BMI", unit="kg/m2", cut_offs={25: "overweight", 30: "obesity"}),
        Trend(
            analytes=("systolic", "diastolic"),
            title="Blood pressure",
            unit="mm[Hg]",
            cut_offs={130: "high", 80: "high"},
        ),
    )

    def assess(self, context: PatientContext, *, model: Model | None, threshold: float) -> Outcome:
        if out := chart.exclusion(context):
            return out
        found = inputs(context)
        guess = estimate(found, context, features.FEATURES, model=model, threshold=threshold) if model else None
        finding = criteria.finding(context)
        if finding is None:
            return self._by_model(context, found, guess, threshold)
        step = self._step(context) if finding.rule in criteria.NEEDS_A_TEST else None
        cautions = _cautions(context, found, finding)
        if finding.rule in criteria.ONLY_A_TEST and step is None:
            finding = replace(finding, alert=False)  # it is ordered: there is nothing left to ask for
        return replace(finding, step=step, estimate=guess, missing=found.missing, cautions=cautions)

    def archive(self, context: PatientContext) -> ArchiveNeed | None:
        """Echo and bone density reports state weight and height; looked for where the chart has no BMI to go by."""
        if bmi_known(context, months=rules.LOOK_BACK_MONTHS["bmi"]) or chart.exclusion(context):
            return None
        wanted = (analytes.BMI, analytes.WEIGHT, analytes.HEIGHT)
        return ArchiveNeed(key="reports", within=rules.REPORT_LOOK_BACK, analytes=wanted)

    def lacking(self, context: PatientContext) -> tuple[str, ...]:
        """Age, sex, and BMI or glucose, each inside its look-back."""
        found = inputs(context)
        body = "BMI (or weight and height) or glucose, measured lately enough"
        there = {
            "age": context.age is not None,
            "sex": context.patient.sex in {"male", "female"},
            body: "bmi" in found.observed or found.glucose_known,
        }
        return tuple(name for name, known in there.items() if not known)

    def _by_model(self, context: PatientContext, found: Inputs, guess: Estimate | None, threshold: float) -> Outcome:
        step = self._step(context)
        more: dict[str, Any] = {
            "estimate": guess,
            "missing": _missing(context, found),
            "cautions": _cautions(context, found),
        }
        if chart.unusable(context):
            return NotEnoughData(rule="record-unusable", alert=True, step=step, **more)
        if guess is not None and found.glucose_known:
            high = guess.probability >= threshold
            rule = "model-high" if high else "model-low"
            return Finding(rule=rule, alert=high and step is not None, step=step if high else None, **more)
        if _screening_due(context, found):
            return NotEnoughData(rule="screening-due", alert=step is not None, step=step, **more)
        return NotEnoughData(rule="abstain" if guess is None else "not-enough", **more)

    def _step(self, context: PatientContext) -> Step | None:
        """The test to order; None if it is ordered already."""
        if chart.hba1c_unreliable(context, context.today):
            results = context.all("fasting_glucose")
            there = ordered(context, value_sets.FASTING_GLUCOSE_TEST, "fasting", "glucose", results=results)
            return None if there else ORDER_FASTING_GLUCOSE
        there = ordered(context, value_sets.HBA1C_TEST, "a1c", results=context.all("hba1c"))
        return None if there else ORDER_HBA1C

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


def _screening_due(context: PatientContext, found: Inputs) -> bool:
    """USPSTF 2021; ADA for the lower BMI in people of Asian descent."""
    low, high = rules.SCREENING_AGE
    bmi = found.observed.get("bmi")
    enough = rules.SCREENING_BMI_ASIAN if value_sets.asian(context.patient.race_codes) else rules.SCREENING_BMI
    tests = (*chart.trusted_hba1c(context), *chart.outpatient(context, "fasting_glucose"))
    tested = any(test.when.younger(rules.SILENT_MONTHS, context.today) for test in tests)
    return low <= (context.age or 0) <= high and bmi is not None and bmi.quantity.value >= enough and not tested


def _missing(context: PatientContext, found: Inputs) -> tuple[Missing, ...]:
    """The test itself first: it would settle the question."""
    last = next((fact.when for fact in context.all("hba1c")), None)
    return (Missing(label="HbA1c", last=last), *found.missing)


def _cautions(context: PatientContext, found: Inputs, finding: Finding | None = None) -> tuple[str, ...]:
    """What the reader must know beside the answer."""
    unreliable = chart.hba1c_unreliable(context, context.today)
    said = [f"HbA1c cannot be relied on here ({unreliable})."] if unreliable else []
    said += [f"HbA1c is less certain here ({doubt})." for doubt in chart.hba1c_doubts(context) if not unreliable]
    if finding and finding.rule != "ask-symptoms" and (high := criteria.very_high_glucose(context)):
        said.append(f"{brief(high[0])}: ask about thirst, passing much urine and weight loss today.")
    if context.age and context.age > features.OLDEST_AGE:
        said.append(f"The estimate is that of a person of {features.OLDEST_AGE}: the survey names no higher age.")
    if chart.uncoded_diabetes(context):
        said.append("An entry without a code mentions diabetes: look at the problem list.")
    said += [f"{title(key)} could not be read from the record." for key in context.unread]
    return (*said, *found.cautions)
