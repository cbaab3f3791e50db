"""The words for clinicians: plain, exact, reviewable on one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds import detail
from cds.cards import Card
from cds.context import PatientContext
from cds.detail import brief, override_reasons, per_hundred
from cds.facts import Observed
from cds.finding import Finding, NotApplicable, NotEnoughData, Outcome
from cds.services.diabetes import chart

OVERRIDE_REASONS = override_reasons(
    {
        "already-known": "Already known",
        "already-ordered": "Already ordered",
        "hba1c-unreliable": "HbA1c is unreliable in this patient",
        "acutely-ill": "Acutely ill",
        "patient-declined": "Patient declined",
        "data-wrong": "The data is wrong",
    }
)
_NOT_APPLICABLE = {
    "diagnosed": "Diabetes is already on the record{detail}; this check looks for diabetes that nobody has found.",
    "treated": "On or recently on a glucose-lowering drug{detail}; this check is for people without treatment.",
    "child": "Under 18 years; this check is for adults.",
    "age-unknown": "No credible birth date on the record; this check is for adults.",
    "deceased": "The record says that this person has died.",
    "pregnant": "Pregnant, or within 12 weeks after; pregnancy has its own tests for diabetes.",
    "hospice": "In hospice care; this check is not made.",
    "in-hospital": "In hospital now; acute illness raises glucose, so this check waits.",
}


def cards(outcome: Outcome, context: PatientContext) -> list[Card]:
    """One card where it helps, else none."""
    if isinstance(outcome, NotApplicable):
        return []
    said = _summary(outcome, context)
    return detail.one_card(outcome, context, summary=said, test="HbA1c", override_reasons=OVERRIDE_REASONS)


def sentence(outcome: Outcome, context: PatientContext) -> str:
    """The page's answer."""
    if isinstance(outcome, NotApplicable):
        return detail.not_applicable(outcome, _NOT_APPLICABLE)
    return _summary(outcome, context)


def _summary(outcome: Finding | NotEnoughData, context: PatientContext) -> str:
    test = outcome.step.label.removeprefix("Order ") if outcome.step else ""
    consider = f"Consider {test}." if test else "The test is already ordered."
    chance = (
        f"{per_hundred(outcome.estimate)} similar adults in a US survey had 6.5 % or more." if outcome.estimate else ""
    )
    match outcome.rule:
        case "criteria-twice":
            found = ", ".join(brief(fact) for fact in _evidence(outcome))
            return f"{found}: diabetes criteria met twice, no diagnosis recorded."
        case "confirm-hba1c" | "confirm-fasting-glucose":
            confirm = f"Confirm with {test}." if test else "The confirming test is already ordered."
            return f"{_newest(outcome)} reached the diabetes cut-off, no diagnosis recorded. {confirm}"
        case "ask-symptoms":
            return f"{_newest(outcome)}. Ask about thirst, passing much urine and weight loss today. {consider}"
        case "hba1c-unreliable":
            answered = "A recent fasting glucose answers instead."
            return f"HbA1c on record cannot be relied on here. {consider if outcome.alert else answered}"
        case "prediabetes":
            return f"{_newest(outcome)} is in the prediabetes range. Repeat after 12 months."
        case "prediabetes-retest":
            return f"{_newest(outcome)} was in the prediabetes range, 12 months or more ago. {consider}"
        case "recently-normal":
            return f"{_newest(outcome)} was normal. Nothing to do."
        case "model-high":
            return f"{_untested(context)} {chance} {consider}"
        case "model-low":
            return f"{_untested(context)} {chance} No test is suggested."
        case "screening-due":
            return f"{_untested(context)} Screening for diabetes is due at this age and BMI. {consider}"
        case "record-unusable":
            return f"{chart.unusable(context)} Look at the record itself; nothing was ruled out."
        case "abstain":
            return f"{_untested(context)} Too much is missing for an estimate."
        case _:
            return f"{_untested(context)} Without a glucose there is only a rough estimate."


def _evidence(outcome: Finding | NotEnoughData) -> tuple[Observed, ...]:
    return outcome.evidence if isinstance(outcome, Finding) else ()


def _newest(outcome: Finding | NotEnoughData) -> str:
    return brief(_evidence(outcome)[0])


def _untested(context: PatientContext) -> str:
    last = context.all("hba1c")
    if not last:
        unusable = any(issue.need == "hba1c" for issue in context.issues)
        return "No usable HbA1c on record." if unusable else "No HbA1c on record."
    years = (context.now - last[0].when.latest).days // 365
    return f"No HbA1c in {years} years." if years > 1 else f"Last HbA1c {last[0].when.words}."


def about(facts: Mapping[str, Any]) -> str:
    """From the model's own facts."""
    full = max(facts["patterns"].values(), key=lambda row: row["auroc"] or 0.0)
    return (
        f"Trained on {facts['trained_on']['n']:,} adults without a diabetes diagnosis of the US survey NHANES, "
        f"{facts['trained_on']['events']:,} of whom had HbA1c 6.5 % or more; checked on later years "
        f"(AUROC up to {full['auroc']:.2f} where all inputs are known). It finds present disease, not future risk."
    )
