"""The words for clinicians: plain, exact, reviewable on one page."""

from __future__ import annotations

from cds.cards import Card, OverrideReason, escape
from cds.codes import OURS, Code
from cds.context import PatientContext
from cds.facts import Imaging, Issue, Observed, Quantity
from cds.finding import Finding, Indicator, NotApplicable, NotEnoughData, Outcome
from cds.services.metformin_renal import contrast, kidneys
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
    "not-recommended": "The labelling does not recommend to start metformin between 30 and 45, and contraindicates it "
    "below 30.",
    "reassess": "The labelling asks to assess benefit and risk of going on once eGFR falls below 45, and to stop below "
    "30. The dose may be too high.",
    "contrast": "With an eGFR from 30 to 60, and after contrast into an artery, the labelling asks to stop metformin at or "
    "before the imaging, to measure eGFR 48 hours after it, and to restart only if the kidneys are stable.",
    "unsteady": "While creatinine changes this fast, an eGFR says more about last week than about today. Find the cause "
    "and measure again.",
    "no-egfr-before-start": "The labelling asks for an eGFR before metformin is started.",
    "no-egfr-this-year": "The labelling asks for an eGFR at least once a year, and more often where the kidneys are at "
    "risk.",
    "newer-unusable": "The labelling has no objection at the latest usable value, but the newer result may say otherwise. "
    "Look at it before relying on this.",
    "draft-unreadable": "It lacks a name, has a code that does not say what it is, is for another patient, or has the "
    "wrong shape.",
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
            indicator=_indicator(outcome),
            detail=_detail(outcome, context),
            override_reasons=OVERRIDE_REASONS,
        )
    ]


def _indicator(outcome: Finding | NotEnoughData) -> Indicator:
    """That something was not checked must be read each time: only a warning is never held back as known."""
    if isinstance(outcome, Finding):
        return outcome.indicator
    return "warning" if outcome.rule == "draft-unreadable" else "info"


def sentence(outcome: Outcome, context: PatientContext) -> str:
    """The page's answer, and the card's summary."""
    latest = _latest(context)
    match outcome.rule:
        case "contraindicated":
            return f"Metformin is contraindicated below an eGFR of 30. {latest}."
        case "not-recommended":
            return f"Starting metformin is not recommended below an eGFR of 45. {latest}."
        case "reassess":
            return f"Taking metformin with {_said(context)}: reassess benefit and dose."
        case "contrast":
            return f"{_imaged(context)}, {_said(context)}: no metformin until an eGFR 48 hours later is stable."
        case "no-objection":
            return f"No objection to metformin: {_said(context)}."
        case "newer-unusable":
            return f"A newer kidney result could not be used. Without it no objection to metformin: {_said(context)}."
        case "unsteady":
            return _unsteady(kidneys.rise(context))
        case "no-egfr-before-start":
            return f"{_lacking(context)} within 12 months. Obtain one before starting metformin."
        case "no-egfr-this-year":
            return f"{_lacking(context)} within 12 months. Metformin needs one at least once a year."
        case "draft-unreadable":
            return "A prescription could not be read, so it was not checked for metformin and kidney function."
        case rule:
            return _NOT_APPLICABLE[rule]


def _said(context: PatientContext) -> str:
    found = kidneys.filtration(context)
    return f"eGFR {found.text} mL/min/1.73 m² ({found.fact.when.words})" if found else ""


def _imaged(context: PatientContext) -> str:
    given = contrast.study(context)
    return f"Contrast imaging {given.start.words}" if given and given.start else ""


def _latest(context: PatientContext) -> str:
    """With a word for what it is, so that nobody takes it for the newest of all where it is not."""
    if kidneys.contrary(context):
        return f"Reported: {_said(context)}"
    return f"Latest{' usable' if kidneys.passed_over(context) else ''}: {_said(context)}"


def _lacking(context: PatientContext) -> str:
    """There may be one that does not help."""
    there = kidneys.unsettled(context) or any(issue.analyte == "egfr" for issue in kidneys.unusable(context))
    return "No usable eGFR" if there else "No eGFR"


def _unsteady(found: Rise | None) -> str:
    return f"{risen(found)} Do not rely on it for metformin." if found else ""


# --- Beside the answer -------------------------------------------------------------------------------------------
def risen(found: Rise) -> str:
    before, after = found.before, found.after
    return (
        f"Creatinine {_measured(before)} ({before.when.words}), then {_measured(after)} ({after.when.words}): "
        "eGFR is not steady."
    )


def contrast_given(given: Imaging) -> str:
    on = f" on {given.start.words}" if given.start else ""
    return (
        f"Imaging with iodinated contrast{on} ({given.text or 'angiography'}), as its name says: check that it was given. "
        "No kidney value of 48 hours later or more is on the record."
    )


def computed(found: Filtration) -> str:
    return f"eGFR {found.text} was computed from creatinine {_measured(found.fact)} ({found.fact.when.words}) by CKD-EPI 2021."


def contrary(found: Filtration) -> str:
    return f"A later result says otherwise: {computed(found)}"


def perhaps_lower(found: Filtration) -> str:
    return f"eGFR {found.text} ({found.fact.when.words}) is a limit: it may be below 30, where metformin is contraindicated."


def unusable(issue: Issue) -> str:
    return f"Not used: {issue.reason} ({issue.when.words if issue.when else 'no date'})."


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
    newer = kidneys.unusable(context)  # said with their date
    issues = [issue for issue in context.issues if issue not in newer]
    said = list(dict.fromkeys(f"Not all of {issue.need} could be used: {issue.reason}." for issue in issues))
    more = len(said) - _ISSUES
    return [*said[:_ISSUES], *([f"And {more} more entries that could not be used."] if more > 0 else [])]
