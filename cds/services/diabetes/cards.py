"""The words for clinicians: plain, exact, reviewable on one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds.cards import Card, OverrideReason, Suggestion, escape
from cds.codes import OURS, Code
from cds.context import PatientContext
from cds.facts import Observed, When
from cds.finding import Estimate, Factor, Finding, Missing, NotApplicable, NotEnoughData, Outcome
from cds.records import OrderRecord
from cds.services.diabetes import chart

_REASONS = f"{OURS}/override-reason"
OVERRIDE_REASONS = tuple(
    OverrideReason(code=Code(_REASONS, code), display=display)
    for code, display in (
        ("already-known", "Already known"),
        ("already-ordered", "Already ordered"),
        ("hba1c-unreliable", "HbA1c is unreliable in this patient"),
        ("acutely-ill", "Acutely ill"),
        ("patient-declined", "Patient declined"),
        ("data-wrong", "The data is wrong"),
    )
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
_RAISE, _LOWER, _ISSUES = 3, 2, 5  # how many reasons, and how many unusable entries, a card names
_TELLING = 0.02  # log-odds; what moves the estimate less is no reason to a reader
_NAMES = {
    "hba1c": "HbA1c",
    "hdl": "HDL cholesterol",
    "bmi": "BMI",
    "vitals": "Vital signs",
    "pregnancy": "Pregnancy status",
}


def cards(outcome: Outcome, context: PatientContext) -> list[Card]:
    """One card where it helps, else none."""
    if isinstance(outcome, NotApplicable) or not outcome.alert:
        return []
    return [
        Card(
            summary=_summary(outcome, context),
            indicator=outcome.indicator if isinstance(outcome, Finding) else "info",
            detail=_detail(outcome, context),
            suggestions=_suggestions(outcome, context),
            override_reasons=OVERRIDE_REASONS,
        )
    ]


def sentence(outcome: Outcome, context: PatientContext) -> str:
    """The page's answer."""
    if isinstance(outcome, NotApplicable):
        detail = f" ({outcome.detail})" if outcome.detail else ""
        return _NOT_APPLICABLE[outcome.rule].format(detail=detail)
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


def per_hundred(estimate: Estimate) -> str:
    """Frequencies before percentages; never "0 in 100"."""
    count = round(estimate.probability * 100)
    if count in {0, 100}:
        return "Fewer than 1 in 100" if count == 0 else "More than 99 in 100"
    return f"About {count} in 100"


_TITLES = {
    "hba1c": "HbA1c",
    "glucose": "Glucose",
    "fasting_glucose": "Fasting glucose",
    "blood_glucose": "Whole-blood glucose",
}


def brief(fact: Observed) -> str:
    """Not rounded further than a laboratory does: 6.46 % is not 6.5 %."""
    reported = fact.reported.value
    value = fact.reported.comparator + f"{reported:.{2 if reported < 100 else 1}f}".rstrip("0").rstrip(".")
    return f"{_TITLES[fact.analyte]} {value} {unit(fact.reported.unit)} ({fact.when.words})"


def number(value: float) -> str:
    """Up to one decimal, none if it is whole."""
    return f"{value:.1f}".removesuffix(".0")


def unit(ucum: str) -> str:
    """UCUM as a person writes it."""
    return {"mm[Hg]": "mmHg", "kg/m2": "kg/m²"}.get(ucum, ucum)


# --- The card's detail, in Markdown ------------------------------------------------------------------------------
def _detail(outcome: Finding | NotEnoughData, context: PatientContext) -> str:
    doubts = _plain((*outcome.cautions, *_unused(context)))
    parts = [*_reasons(outcome.estimate), *_missing(outcome.missing), *doubts, *_oldest(outcome)]
    return "\n\n".join([*parts, _signature(outcome.estimate)])


def _reasons(estimate: Estimate | None) -> list[str]:
    if estimate is None:
        return []
    known = [factor for factor in estimate.factors if factor.quantity or factor.key in {"age", "sex"}]
    telling = [factor for factor in known if abs(factor.contribution) >= _TELLING]
    ranked = sorted(telling, key=lambda factor: -abs(factor.contribution))
    raising = [_named(factor) for factor in ranked if factor.contribution > 0][:_RAISE]
    lowering = [_named(factor) for factor in ranked if factor.contribution < 0][:_LOWER]
    said = [f"**Raises the estimate:** {', '.join(raising)}"] if raising else []
    return said + ([f"**Lowers it:** {', '.join(lowering)}"] if lowering else [])


def _named(factor: Factor) -> str:
    points = f"about {factor.points * 100:+.1f} points, {factor.contribution:+.2f} log-odds"
    if factor.quantity is None or factor.when is None:
        return f"{factor.label.lower()} {factor.text} ({points})"
    value = f"{factor.label} {number(factor.quantity.value)} {unit(factor.quantity.unit)}"
    return f"{value} ({factor.when.words}; {points})"


def _missing(missing: tuple[Missing, ...]) -> list[str]:
    """The test itself comes first where it would settle the question."""
    named = [item.label + (f" (last {item.last.words})" if item.last else " (never measured)") for item in missing]
    if not named:
        return []
    if not named[0].startswith(_TITLES["hba1c"]):
        return [f"**Not known to the model:** {', '.join(named)}."]
    also = f" Also missing: {', '.join(named[1:])}." if named[1:] else ""
    return [f"**Would change the answer most:** {named[0]}.{also}"]


def _unused(context: PatientContext) -> tuple[str, ...]:
    """What of the record could not be used: the card is short, the page names every entry."""
    said = list(dict.fromkeys(f"{title(issue.need)}, not all usable: {issue.reason}." for issue in context.issues))
    more = len(said) - _ISSUES
    return (*said[:_ISSUES], *([f"And {more} more entries that could not be used."] if more > 0 else []))


def title(need: str) -> str:
    """A need or an analyte, as the sentences name it."""
    return _NAMES.get(need, need.replace("_", " ").capitalize())


def _plain(cautions: tuple[str, ...]) -> list[str]:
    return [escape(caution) for caution in cautions]


def _oldest(outcome: Finding | NotEnoughData) -> list[str]:
    dated: list[When] = [factor.when for factor in outcome.estimate.factors if factor.when] if outcome.estimate else []
    if not dated:
        return []
    oldest = min(dated, key=lambda when: when.latest)
    return [f"Oldest input: {oldest.words}."]


def _signature(estimate: Estimate | None) -> str:
    made = f"Model {estimate.model} {estimate.version}. " if estimate else ""
    return f"{made}Estimate by software; it needs clinical judgement."


def _suggestions(outcome: Finding | NotEnoughData, context: PatientContext) -> tuple[Suggestion, ...]:
    if outcome.step is None:
        return ()
    order = OrderRecord(
        code=outcome.step.order,
        display=outcome.step.display,
        patient_id=context.patient.id,
        reason=_summary(outcome, context),
    )
    return (Suggestion(label=outcome.step.label, order=order),)


def about(facts: Mapping[str, Any]) -> str:
    """From the model's own facts."""
    full = max(facts["patterns"].values(), key=lambda row: row["auroc"] or 0.0)
    return (
        f"Trained on {facts['trained_on']['n']:,} adults without a diabetes diagnosis of the US survey NHANES, "
        f"{facts['trained_on']['events']:,} of whom had HbA1c 6.5 % or more; checked on later years "
        f"(AUROC up to {full['auroc']:.2f} where all inputs are known). It finds present disease, not future risk."
    )
