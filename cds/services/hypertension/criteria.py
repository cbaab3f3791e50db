"""The guidelines' criteria, which come before the model. Sources stand in rules.py."""

from __future__ import annotations

from cds.context import PatientContext
from cds.finding import Finding
from cds.services.hypertension import rules
from cds.services.hypertension.chart import Reading, due_after_months, readings


def finding(context: PatientContext) -> Finding | None:
    """What the criteria say; None where a measurement is due and they leave the question open."""
    found = readings(context)
    if not found:
        return None
    newest = found[0]
    if newest.raised and newest.when.within(rules.READING_MONTHS, context.today):
        return _raised(context, newest, found[1:])
    if not newest.raised and newest.when.younger(due_after_months(context, newest), context.today):
        return Finding(rule="recently-normal", alert=False, evidence=newest.facts)
    return None


def _raised(context: PatientContext, newest: Reading, earlier: tuple[Reading, ...]) -> Finding:
    if newest.reaches(rules.SEVERE_SYSTOLIC, rules.SEVERE_DIASTOLIC) and newest.when.within(
        rules.SEVERE_MONTHS, context.today
    ):
        return Finding(rule="severe", alert=True, indicator="warning", evidence=newest.facts)
    if before := _confirming(context, newest, earlier):
        return Finding(rule="criteria-twice", alert=True, indicator="warning", evidence=(*newest.facts, *before.facts))
    return Finding(rule="confirm", alert=True, evidence=newest.facts)


def _confirming(context: PatientContext, newest: Reading, earlier: tuple[Reading, ...]) -> Reading | None:
    """Raised as well, surely on another day, and not long ago."""
    apart = [one for one in earlier if one.raised and one.when.apart(newest.when)]
    return next((one for one in apart if one.when.within(rules.READING_MONTHS, context.today)), None)
