"""The words for clinicians: plain, exact, reviewable on one page."""

from __future__ import annotations

from cds.cards import Card, OverrideReason, escape
from cds.codes import OURS, Code
from cds.context import PatientContext
from cds.facts import Observed, Quantity
from cds.finding import Finding, NotApplicable, NotEnoughData, Outcome
from cds.services.metformin_renal import kidneys
from cds.services.metformin_renal.kidneys import Filtration, Rise

_REASONS = f"{OURS}/override-reason"
OVERRIDE_REASONS = tuple(
    OverrideReason(code=Code(_REASONS, code), display=display)
    for code, display in (
        ("benefit-outweighs", "The benefit outweighs the risk"),
        ("dose-reduced", "The dose is reduced"),
        ("newer-value-known", "A newer value is known"),
        ("change-followed", "The change of creatinine is known and followed"),
        ("data-wrong", "The data is wrong"),
    )
)
_NOT_APPLICABLE = {
    "not-metformin": "Metformin is neither being prescribed nor on the record as taken.",
    "deceased": "The record says that this person has died.",
}
_ADVICE = {
    "contraindicated": "The labelling contraindicates metformin below 30: do not start it, and stop it if it is taken.",
    "not-recommended": "The labelling does not recommend to start metformin between 30 and 45.",
    "reassess": "The labelling asks to assess benefit and risk of going on once eGFR falls below 45, and to stop below "
    "30. The dose may be too high.",
    "unsteady": "While creatinine changes this fast, an eGFR says more about last week than about today. Find the cause "
    "and measure again.",
    "no-egfr-before-start": "The labelling asks for an eGFR before metformin is started.",
    "no-egfr-this-year": "The labelling asks for an eGFR at least once a year, and more often where the kidneys are at "
    "risk.",
    "draft-unreadable": "It lacks a name and a code, is for another patient, or has the wrong shape.",
}
_ISSUES = 5  # how many unusable entries a card names
_SIGNATURE = "Basis: FDA Drug Safety Communication, 8 April 2016. Check by software; it needs clinical judgement."


def cards(outcome: Outcome, context: PatientContext) -> list[Card]:
    """One card where it helps, else none."""
    if isinstance(outcome, NotApplicable) or not outcome.alert:
        return []
    return [
        Card(
            summary=sentence(outcome, context),
            indicator=outcome.indicator if isinstance(outcome, Finding) else "info",
            detail=_detail(outcome, context),
            override_reasons=OVERRIDE_REASONS,
        )
    ]


def sentence(outcome: Outcome, context: PatientContext) -> str:
    """The page's answer, and the card's summary."""
    latest = _said(kidneys.filtration(context))
    match outcome.rule:
        case "contraindicated":
            return f"Metformin is contraindicated below an eGFR of 30. Latest: {latest}."
        case "not-recommended":
            return f"Starting metformin is not recommended at an eGFR of 30-45. Latest: {latest}."
        case "reassess":
            return f"Taking metformin with {latest}: reassess benefit and dose."
        case "no-objection":
            return f"No objection to metformin: {latest}."
        case "unsteady":
            return _unsteady(kidneys.rise(context))
        case "no-egfr-before-start":
            return "No eGFR within 12 months. Obtain one before starting metformin."
        case "no-egfr-this-year":
            return "No eGFR within 12 months. Metformin needs one at least once a year."
        case "draft-unreadable":
            return "A prescription could not be read, so it was not checked for metformin and kidney function."
        case rule:
            return _NOT_APPLICABLE[rule]


def _said(found: Filtration | None) -> str:
    return f"eGFR {found.text} mL/min/1.73 m² ({found.fact.when.words})" if found else ""


def _unsteady(found: Rise | None) -> str:
    return f"{risen(found)} Do not rely on it for metformin." if found else ""


# --- Beside the answer -------------------------------------------------------------------------------------------
def risen(found: Rise) -> str:
    before, after = found.before, found.after
    return (
        f"Creatinine {_measured(before)} ({before.when.words}), then {_measured(after)} ({after.when.words}): "
        "eGFR is not steady."
    )


def computed(found: Filtration) -> str:
    return f"eGFR {found.text} was computed from creatinine {_measured(found.fact)} ({found.fact.when.words}) by CKD-EPI 2021."


def unsettled(fact: Observed) -> str:
    quantity = fact.quantity
    return f"eGFR {quantity.comparator}{quantity.value:g} ({fact.when.words}) is a limit that does not settle it."


def _measured(fact: Observed) -> str:
    """As the laboratory reported it, in units that people write."""
    quantity: Quantity = fact.reported
    return f"{quantity.value:.2f}".rstrip("0").rstrip(".") + f" {quantity.unit.replace('umol', 'µmol')}"


# --- The card's detail, in Markdown ------------------------------------------------------------------------------
def _detail(outcome: Finding | NotEnoughData, context: PatientContext) -> str:
    said = sentence(outcome, context)
    doubts = [escape(text) for text in (*outcome.cautions, *_unused(context)) if text not in said]
    return "\n\n".join([_ADVICE[outcome.rule], *doubts, _SIGNATURE])


def _unused(context: PatientContext) -> list[str]:
    """What could not be used: the card is short, the page names every entry."""
    said = list(dict.fromkeys(f"Not all of {issue.need} could be used: {issue.reason}." for issue in context.issues))
    more = len(said) - _ISSUES
    return [*said[:_ISSUES], *([f"And {more} more entries that could not be used."] if more > 0 else [])]
