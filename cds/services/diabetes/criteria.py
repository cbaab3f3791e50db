"""The guideline's criteria, which come before the model. Sources stand in rules.py."""

from __future__ import annotations

from datetime import date
from itertools import combinations

from cds.context import PatientContext
from cds.facts import Observed
from cds.finding import Finding
from cds.services.diabetes import rules, value_sets
from cds.services.diabetes.chart import hba1c_unreliable, outpatient, trusted_hba1c

NEEDS_A_TEST = {"confirm-hba1c", "confirm-fasting-glucose", "ask-symptoms", "prediabetes-retest", "hba1c-unreliable"}


ONLY_A_TEST = {"prediabetes-retest", "hba1c-unreliable"}


def finding(context: PatientContext) -> Finding | None:
    """What the criteria say; None where they leave the question open."""
    return _diabetic(context) or _unreliable(context) or _by_newest_hba1c(context)


def _diabetic(context: PatientContext) -> Finding | None:
    hba1c = _reaching(trusted_hba1c(context), rules.DIABETES_HBA1C)
    fasting = _reaching(outpatient(context, "fasting_glucose"), rules.DIABETES_FASTING_GLUCOSE)
    if two := _two_days(hba1c) or _two_kinds(hba1c, fasting) or _two_days(fasting):
        return Finding(rule="criteria-twice", alert=True, indicator="warning", evidence=two)
    if hba1c:
        return Finding(rule="confirm-hba1c", alert=True, indicator="warning", evidence=hba1c)
    if fasting:
        return Finding(rule="confirm-fasting-glucose", alert=True, indicator="warning", evidence=fasting)
    if high := very_high_glucose(context):
        return Finding(rule="ask-symptoms", alert=True, indicator="warning", evidence=high)
    return None


def very_high_glucose(context: PatientContext) -> tuple[Observed, ...]:
    """Newest first; plasma or serum, in any fasting state."""
    facts = outpatient(context, "glucose", "fasting_glucose")
    recent = tuple(fact for fact in facts if fact.when.within(rules.RANDOM_GLUCOSE_MONTHS, context.today))
    return _reaching(recent, rules.RANDOM_GLUCOSE)


def _unreliable(context: PatientContext) -> Finding | None:
    """There is an HbA1c, and none that may be interpreted; a recent fasting glucose answers instead."""
    results = context.all("hba1c")
    if not results or trusted_hba1c(context) or not hba1c_unreliable(context, context.today):
        return None
    facts = outpatient(context, "fasting_glucose")
    answered = any(fact.when.younger(rules.SILENT_MONTHS, context.today) for fact in facts)
    return Finding(rule="hba1c-unreliable", alert=not answered, evidence=results[:1])


def _by_newest_hba1c(context: PatientContext) -> Finding | None:
    results = [fact for fact in trusted_hba1c(context) if not fact.reported.comparator]  # a limit has no range
    if not results:
        return None
    newest = results[0]
    if rules.reaches(newest, rules.PREDIABETES_HBA1C):
        return _prediabetes(context, newest)
    if newest.when.younger(rules.SILENT_MONTHS, context.today):
        return Finding(rule="recently-normal", alert=False, evidence=(newest,))
    return None


def _prediabetes(context: PatientContext, newest: Observed) -> Finding:
    if not newest.when.younger(rules.RETEST_PREDIABETES_MONTHS, context.today):
        return Finding(rule="prediabetes-retest", alert=True, evidence=(newest,))
    known = value_sets.PREDIABETES.first(context.diagnoses) is not None
    return Finding(rule="prediabetes", alert=not known, evidence=(newest,))


def _reaching(facts: tuple[Observed, ...], cut_off: dict[str, float]) -> tuple[Observed, ...]:
    return tuple(fact for fact in facts if rules.reaches(fact, cut_off))


def _two_days(facts: tuple[Observed, ...]) -> tuple[Observed, ...]:
    """The newest pair that was surely not taken on one day: one sample may be reported in two units.

    Of those that may be of the same days the newest stands for all: there may be thousands.
    """
    newest: dict[tuple[date, date], Observed] = {}
    for fact in facts:
        newest.setdefault((fact.when.earliest.date(), fact.when.latest.date()), fact)
    return next(((one, other) for one, other in combinations(newest.values(), 2) if one.when.apart(other.when)), ())


def _two_kinds(hba1c: tuple[Observed, ...], fasting: tuple[Observed, ...]) -> tuple[Observed, ...]:
    """ADA: two different tests above their cut-offs confirm each other, even from one sample."""
    return (hba1c[0], fasting[0]) if hba1c and fasting else ()
