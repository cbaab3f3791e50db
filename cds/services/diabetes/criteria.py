"""The guideline's criteria, which come before the model. Sources stand in rules.py."""

from __future__ import annotations

from cds.context import PatientContext
from cds.facts import Observed
from cds.finding import Finding
from cds.services.diabetes import rules, value_sets
from cds.services.diabetes.chart import hba1c_unreliable, outpatient, trusted_hba1c

NEEDS_A_TEST = {"confirm-hba1c", "confirm-fasting-glucose", "ask-symptoms", "prediabetes-retest", "hba1c-unreliable"}


def finding(context: PatientContext) -> Finding | None:
    """What the criteria say; None where they leave the question open."""
    return _diabetic(context) or _unreliable(context) or _by_newest_hba1c(context)


def _diabetic(context: PatientContext) -> Finding | None:
    hba1c = _reaching(trusted_hba1c(context), rules.DIABETES_HBA1C)
    fasting = _reaching(outpatient(context, "fasting_glucose"), rules.DIABETES_FASTING_GLUCOSE)
    evidence = (*hba1c, *fasting)
    if _days(hba1c) > 1 or _days(fasting) > 1 or (hba1c and fasting):
        return Finding(rule="criteria-twice", alert=True, indicator="warning", evidence=evidence)
    if hba1c:
        return Finding(rule="confirm-hba1c", alert=True, indicator="warning", evidence=evidence)
    if fasting:
        return Finding(rule="confirm-fasting-glucose", alert=True, indicator="warning", evidence=evidence)
    recent = [fact for fact in outpatient(context, "glucose", "fasting_glucose") if rules.within(fact, context.now, 12)]
    if very_high := _reaching(tuple(recent), rules.RANDOM_GLUCOSE):
        return Finding(rule="ask-symptoms", alert=True, indicator="warning", evidence=very_high)
    return None


def _unreliable(context: PatientContext) -> Finding | None:
    """There is an HbA1c, and none that may be interpreted; a recent fasting glucose answers instead."""
    results = context.all("hba1c")
    if not results or trusted_hba1c(context) or not hba1c_unreliable(context, context.today):
        return None
    fasting = [fact for fact in context.all("fasting_glucose") if rules.within(fact, context.now, rules.SILENT_MONTHS)]
    return Finding(rule="hba1c-unreliable", alert=not fasting, evidence=results[:1])


def _by_newest_hba1c(context: PatientContext) -> Finding | None:
    results = trusted_hba1c(context)
    if not results:
        return None
    newest = results[0]
    if rules.reaches(newest, rules.PREDIABETES_HBA1C):
        return _prediabetes(context, newest)
    if rules.within(newest, context.now, rules.SILENT_MONTHS):
        return Finding(rule="recently-normal", alert=False, evidence=(newest,))
    return None


def _prediabetes(context: PatientContext, newest: Observed) -> Finding:
    if not rules.within(newest, context.now, rules.RETEST_PREDIABETES_MONTHS):
        return Finding(rule="prediabetes-retest", alert=True, evidence=(newest,))
    known = value_sets.PREDIABETES.first(context.diagnoses) is not None
    return Finding(rule="prediabetes", alert=not known, evidence=(newest,))


def _reaching(facts: tuple[Observed, ...], cut_off: dict[str, float]) -> tuple[Observed, ...]:
    return tuple(fact for fact in facts if rules.reaches(fact, cut_off))


def _days(facts: tuple[Observed, ...]) -> int:
    return len({fact.when.day for fact in facts})
