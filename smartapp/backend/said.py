"""What POST /api/predict answers: the outcome in numbers whose names say what they are, and in one sentence."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from cds.context import PatientContext
from cds.finding import Estimate, Factor, Finding, NotApplicable, NotEnoughData, Outcome
from cds.models import Assessment
from cds.records import RiskAssessmentRecord
from cds.service import DecisionService

_NAMES = {Finding: "finding", NotEnoughData: "not-enough-data", NotApplicable: "not-applicable"}


class Risk(Struct, kw_only=True, rename="camel"):
    """One probability, twice: as a fraction of 1 and in percent. `level` as in RiskAssessment, by the threshold."""

    fraction: float
    percent: float
    threshold_fraction: float
    threshold_percent: float
    level: str
    outcome: str


class Share(Struct, kw_only=True, rename="camel"):
    """One input of the model; `logOdds` is its exact contribution, and all of them and the base add up."""

    name: str
    label: str
    log_odds: float
    value: float | str | None = None
    unit: str = ""
    date: str = ""
    source: str = ""


class Explanation(Struct, kw_only=True, rename="camel"):
    """`baseLogOdds` + the factors' `logOdds` = `totalLogOdds`, of which `risk.fraction` is the logistic function."""

    model: str
    version: str
    base_log_odds: float
    total_log_odds: float
    factors: list[Share]


class Answer(Struct, kw_only=True, rename="camel"):
    """`outcome`: finding, not-enough-data, not-applicable; opted-out, where nothing was computed or kept; or retracted."""

    service: str
    outcome: str
    sentence: str
    rule: str = ""
    alert: bool = False
    assessment: str = ""
    risk: Risk | None = None
    explanation: Explanation | None = None
    missing: list[str] = []
    cautions: list[str] = []
    not_used: list[str] = []


def answer(assessment: Assessment, outcome: Outcome, context: PatientContext, *, service: DecisionService) -> Answer:
    """`not_used`: what of the record could not be used, and why."""
    found = Answer(
        service=service.id,
        outcome=_NAMES[type(outcome)],
        sentence=service.sentence(outcome, context),
        rule=outcome.rule,
        assessment=str(assessment.pk),
        not_used=list(dict.fromkeys(issue.reason for issue in context.issues)),
    )
    if isinstance(outcome, NotApplicable):
        return found
    found.alert = outcome.alert
    found.missing = [missing.in_words for missing in outcome.missing]
    found.cautions = list(outcome.cautions)
    if outcome.estimate is not None:
        found.risk = _risk(outcome.estimate, _record(assessment, outcome, context, service))
        found.explanation = _explanation(outcome.estimate)
    return found


def opted_out(service: DecisionService) -> Answer:
    said = "This patient does not take part: nothing was computed, and nothing was kept."
    return Answer(service=service.id, outcome="opted-out", sentence=said)


def retracted(assessment: Assessment, service: DecisionService) -> Answer:
    """What was taken back is not given again; the same facts have no other answer."""
    said = f"The answer to these facts was retracted: {assessment.retraction}. It is not given again."
    return Answer(service=service.id, outcome="retracted", sentence=said, assessment=str(assessment.pk))


def as_json(found: Answer) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.to_builtins(found)
    return made


def _record(
    assessment: Assessment, outcome: Outcome, context: PatientContext, service: DecisionService
) -> RiskAssessmentRecord | None:
    records = service.records(outcome, context, assessment_id=str(assessment.pk), at=context.now)
    return next((record for record in records if isinstance(record, RiskAssessmentRecord)), None)


def _risk(estimate: Estimate, record: RiskAssessmentRecord | None) -> Risk:
    return Risk(
        fraction=round(estimate.probability, 6),
        percent=round(estimate.probability * 100, 4),
        threshold_fraction=estimate.threshold,
        threshold_percent=round(estimate.threshold * 100, 4),
        level=record.qualitative if record else "",
        outcome=record.outcome_text if record else "",
    )


def _explanation(estimate: Estimate) -> Explanation:
    return Explanation(
        model=estimate.model,
        version=estimate.version,
        base_log_odds=estimate.base,
        total_log_odds=estimate.margin,
        factors=[_share(factor) for factor in estimate.factors],
    )


def _share(factor: Factor) -> Share:
    """A source that stands for a value of the request names nothing that the caller knows."""
    source = "" if factor.source.startswith("Observation/value-") else factor.source
    return Share(
        name=factor.key,
        label=factor.label,
        log_odds=factor.contribution,
        value=factor.quantity.value if factor.quantity else factor.text or None,
        unit=factor.quantity.unit if factor.quantity else "",
        date=factor.when.text if factor.when else "",
        source=source,
    )
