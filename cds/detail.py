"""What a card says below its summary, in Markdown: reasons, what is missing or doubtful, the next step."""

from __future__ import annotations

from collections.abc import Mapping

from cds.cards import Card, OverrideReason, Suggestion, escape
from cds.codes import OURS, Code
from cds.context import PatientContext
from cds.facts import Observed, When
from cds.finding import Estimate, Factor, Finding, Missing, NotApplicable, NotEnoughData, Step
from cds.records import OrderRecord

_RAISE, _LOWER, _ISSUES = 3, 2, 5  # how many reasons, and how many unusable entries, a card names
_TELLING = 0.02  # log-odds; what moves the estimate less is no reason to a reader
_TITLES = {
    "hba1c": "HbA1c",
    "fasting_glucose": "Fasting glucose",
    "blood_glucose": "Whole-blood glucose",
    "hdl": "HDL cholesterol",
    "bmi": "BMI",
    "vitals": "Vital signs",
    "pregnancy": "Pregnancy status",
}


def override_reasons(reasons: Mapping[str, str]) -> tuple[OverrideReason, ...]:
    """Code -> what the clinician reads."""
    system = f"{OURS}/override-reason"
    return tuple(OverrideReason(code=Code(system, code), display=display) for code, display in reasons.items())


def detail(outcome: Finding | NotEnoughData, context: PatientContext, *, test: str) -> str:
    """The whole of it; `test` would settle the question."""
    doubts = _plain((*outcome.cautions, *_unused(context)))
    parts = [*_reasons(outcome.estimate), *_missing(outcome.missing, test), *doubts, *_oldest(outcome)]
    return "\n\n".join([*parts, _signature(outcome.estimate)])


def one_card(
    outcome: Finding | NotEnoughData,
    context: PatientContext,
    *,
    summary: str,
    test: str,
    override_reasons: tuple[OverrideReason, ...],
) -> list[Card]:
    """The card where it helps, else none. `test` would settle the question."""
    if not outcome.alert:
        return []
    return [
        Card(
            summary=summary,
            indicator=outcome.indicator if isinstance(outcome, Finding) else "info",
            detail=detail(outcome, context, test=test),
            suggestions=suggestions(outcome.step, context, reason=summary),
            override_reasons=override_reasons,
        )
    ]


def not_applicable(outcome: NotApplicable, sentences: Mapping[str, str]) -> str:
    """The rule's sentence with what in the record says so, where it has a place for that."""
    because = f" ({outcome.detail})" if outcome.detail else ""
    return sentences[outcome.rule].format(detail=because)


def suggestions(step: Step | None, context: PatientContext, *, reason: str) -> tuple[Suggestion, ...]:
    """The draft order, if there is a step."""
    if step is None:
        return ()
    order = OrderRecord(
        code=step.order, display=step.display, patient_id=context.patient.id, reason=reason, category=step.category
    )
    return (Suggestion(label=step.label, order=order),)


def per_hundred(estimate: Estimate) -> str:
    """Frequencies before percentages; never "0 in 100"."""
    count = round(estimate.probability * 100)
    if count in {0, 100}:
        return "Fewer than 1 in 100" if count == 0 else "More than 99 in 100"
    return f"About {count} in 100"


def brief(fact: Observed) -> str:
    """Not rounded further than a laboratory does: 6.46 % is not 6.5 %."""
    reported = fact.reported.value
    value = fact.reported.comparator + f"{reported:.{2 if reported < 100 else 1}f}".rstrip("0").rstrip(".")
    return f"{title(fact.analyte)} {value} {unit(fact.reported.unit)} ({fact.when.words})"


def number(value: float) -> str:
    """Up to one decimal, none if it is whole."""
    return f"{value:.1f}".removesuffix(".0")


def unit(ucum: str) -> str:
    """UCUM as a person writes it."""
    return {"mm[Hg]": "mmHg", "kg/m2": "kg/m²"}.get(ucum, ucum)


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


def _missing(missing: tuple[Missing, ...], test: str) -> list[str]:
    """The test itself comes first where it would settle the question."""
    said = [item.label + (f" (last {item.last.words})" if item.last else " (never measured)") for item in missing]
    if not said:
        return []
    if missing[0].label != test:
        return [f"**Not known to the model:** {', '.join(said)}."]
    also = f" Also missing: {', '.join(said[1:])}." if said[1:] else ""
    return [f"**Would change the answer most:** {said[0]}.{also}"]


def _unused(context: PatientContext) -> tuple[str, ...]:
    """What of the record could not be used: the card is short, the page names every entry."""
    said = list(dict.fromkeys(f"{title(issue.need)}, not all usable: {issue.reason}." for issue in context.issues))
    more = len(said) - _ISSUES
    return (*said[:_ISSUES], *([f"And {more} more entries that could not be used."] if more > 0 else []))


def title(need: str) -> str:
    """A need or an analyte, as the sentences name it."""
    return _TITLES.get(need, need.replace("_", " ").capitalize())


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
