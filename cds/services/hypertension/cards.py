"""The words for clinicians: plain, exact, reviewable on one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds import detail
from cds.cards import Card
from cds.context import PatientContext
from cds.detail import number, override_reasons, per_hundred
from cds.facts import Observed
from cds.finding import Finding, NotApplicable, NotEnoughData, Outcome
from cds.services.hypertension import chart

OVERRIDE_REASONS = override_reasons(
    {
        "already-known": "Already known",
        "measured-at-home": "Measured at home or elsewhere",
        "acutely-ill": "Acutely ill",
        "patient-declined": "Patient declined",
        "data-wrong": "The data is wrong",
    }
)
_NOT_APPLICABLE = {
    "diagnosed": "Hypertension is already on the record{detail}; this check looks for what nobody has found.",
    "treated": "On or recently on a drug that lowers the pressure{detail}; this check is for people without one.",
    "child": "Under 18 years; this check is for adults.",
    "age-unknown": "No credible birth date on the record; this check is for adults.",
    "deceased": "The record says that this person has died.",
    "pregnant": "Pregnant, or within 12 weeks after; pregnancy has its own cut-offs for blood pressure.",
    "hospice": "In hospice care; this check is not made.",
    "in-hospital": "In hospital now; pain and illness move the pressure, so this check waits.",
}
_TEST = "Blood pressure"


def cards(outcome: Outcome, context: PatientContext) -> list[Card]:
    """One card where it helps, else none."""
    if isinstance(outcome, NotApplicable):
        return []
    return detail.one_card(
        outcome, context, summary=_summary(outcome, context), test=_TEST, override_reasons=OVERRIDE_REASONS
    )


def sentence(outcome: Outcome, context: PatientContext) -> str:
    """The page's answer."""
    if isinstance(outcome, NotApplicable):
        return detail.not_applicable(outcome, _NOT_APPLICABLE)
    return _summary(outcome, context)


def _summary(outcome: Finding | NotEnoughData, context: PatientContext) -> str:
    measure = "Measure it." if outcome.step else "Its measurement is already ordered."
    confirm = "Confirm outside the clinic." if outcome.step else "The confirming test is already ordered."
    chance = (
        f"{per_hundred(outcome.estimate)} similar adults in a US survey had 140/90 or more." if outcome.estimate else ""
    )
    match outcome.rule:
        case "severe":
            return f"{_newest(outcome)}. Measure again today, and look for signs of an emergency."
        case "criteria-twice":
            return f"{_newest(outcome)}, and raised once before: no diagnosis recorded. {confirm}"
        case "confirm":
            return f"{_newest(outcome)} was 140/90 or more, no diagnosis recorded. {confirm}"
        case "recently-normal":
            return f"{_newest(outcome)} was below 140/90. Nothing to do."
        case "model-high":
            return f"{_unmeasured(context)} {chance} {measure}"
        case "model-low":
            return f"{_unmeasured(context)} {chance} Measuring is due all the same."
        case "record-unusable":
            return f"{chart.unusable(context)} Look at the record itself; nothing was ruled out."
        case _:
            return f"{_unmeasured(context)} Measuring is due by the guideline. {measure}"


def _newest(outcome: Finding | NotEnoughData) -> str:
    evidence = outcome.evidence if isinstance(outcome, Finding) else ()
    systolic = next((fact for fact in evidence if fact.analyte == "systolic"), None)
    diastolic = next((fact for fact in evidence if fact.analyte == "diastolic"), None)
    return pressure(systolic, diastolic)


def pressure(systolic: Observed | None, diastolic: Observed | None) -> str:
    """As it is written: 148/92; a number that is not there is a question mark."""
    numbers = "/".join(number(fact.quantity.value) if fact else "?" for fact in (systolic, diastolic))
    dated = systolic or diastolic
    return f"Pressure {numbers} mmHg ({dated.when.words if dated else 'no date'})"


def _unmeasured(context: PatientContext) -> str:
    last = chart.readings(context)
    if not last:
        unusable = any(issue.analyte in {"systolic", "diastolic"} for issue in context.issues)
        return "No usable pressure on record." if unusable else "No pressure on record."
    years = (context.now - last[0].when.latest).days // 365
    return f"No pressure in {years} years." if years > 1 else f"Last pressure {last[0].when.words}."


def about(facts: Mapping[str, Any]) -> str:
    """From the model's own facts."""
    figures = facts["performance"]["unweighted"]["auroc"]
    return (
        f"Trained on {facts['trained_on']['n']:,} adults of the US survey NHANES whom no doctor had told of high blood "
        f"pressure, {facts['trained_on']['events']:,} of whom had 140/90 mmHg or more; checked on later years "
        f"(AUROC {figures['value']:.2f}, little more than age alone gives). It finds raised pressure that is there now, "
        "not future risk."
    )
