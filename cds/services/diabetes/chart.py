"""The chart as this service reads it: who is left out, which HbA1c and which glucose may be trusted."""

from __future__ import annotations

from datetime import date, timedelta

from cds import circumstances
from cds.circumstances import NOT_TAKEN, OVER
from cds.context import PatientContext
from cds.facts import Coded, Drug, Observed
from cds.finding import NotApplicable
from cds.services.diabetes import rules, value_sets

_NOT_DIABETES = ("insipidus", "prediabet", "pre-diabet", "family", "risk", "screen", "gestational")


def exclusion(context: PatientContext) -> NotApplicable | None:
    """The first reason for which the question does not arise."""
    if out := circumstances.no_credible_adult(context):
        return out
    if found := value_sets.DIABETES.first([diagnosis for diagnosis in context.diagnoses if diagnosis.certain]):
        return NotApplicable(rule="diagnosed", detail=found.text)
    if drug := _glucose_lowering(context):
        return NotApplicable(rule="treated", detail=drug.text)
    if treated := value_sets.LONG_TERM_TREATMENT.first([item for item in context.diagnoses if item.status not in OVER]):
        return NotApplicable(rule="treated", detail=treated.text)
    return circumstances.elsewhere(context)


def uncoded_diabetes(context: PatientContext) -> bool:
    """A diagnosis in words alone is no diagnosis to us, but worth a look."""
    texts = [diagnosis.text.lower() for diagnosis in context.diagnoses if not diagnosis.codes]
    return any("diabet" in text and not any(word in text for word in _NOT_DIABETES) for text in texts)


def unusable(context: PatientContext) -> str:
    """What of the deciding record is there and cannot be used, in one sentence; "" if nothing."""
    spoiled = circumstances.spoiled(context)
    if "conditions" in spoiled:
        return "Some diagnoses could not be read: diabetes may be on record already."
    if "hba1c" in spoiled and not context.all("hba1c"):
        return "An HbA1c is on record and could not be used."
    return ""


def _glucose_lowering(context: PatientContext) -> Drug | None:
    taken = circumstances.taken(context, months=rules.DRUG_LOOK_BACK_MONTHS)
    return value_sets.GLUCOSE_LOWERING.first(taken)


def hba1c_unreliable(context: PatientContext, on: date) -> str:
    """Why an HbA1c taken on that day must not be interpreted; "" if it may."""
    facts = (*context.diagnoses, *context.treatments)
    recent = [fact for fact in facts if _just_before(fact, on)]
    if value_sets.SICKLE_OR_G6PD.first(facts):
        return value_sets.SICKLE_OR_G6PD.title
    open_diagnoses = [diagnosis for diagnosis in context.diagnoses if diagnosis.status not in OVER]
    if value_sets.HAEMODIALYSIS.first([*open_diagnoses, *recent]):
        return value_sets.HAEMODIALYSIS.title
    if value_sets.TRANSFUSION_OR_BLOOD_LOSS.first(recent):
        return value_sets.TRANSFUSION_OR_BLOOD_LOSS.title
    drugs = [drug for drug in context.drugs if drug.status not in NOT_TAKEN and _just_before(drug, on)]
    return value_sets.ERYTHROPOIETIN.title if value_sets.ERYTHROPOIETIN.first(drugs) else ""


def _just_before(fact: Coded, on: date) -> bool:
    """Within the life of a red cell before that day, or still going on."""
    if fact.start is None or fact.start.earliest.date() > on or fact.status == "not-done":
        return False
    if fact.end is None and (fact.status == "in-progress" or (isinstance(fact, Drug) and fact.status == "active")):
        return True
    last = (fact.end or fact.start).day
    return (on - last).days <= rules.RED_CELL_DAYS


def hba1c_doubts(context: PatientContext) -> tuple[str, ...]:
    """What makes an HbA1c less certain without forbidding it."""
    doubts = (value_sets.HAEMOGLOBIN_VARIANT, value_sets.CKD_4_5, value_sets.ANAEMIA)
    present = [diagnosis for diagnosis in context.diagnoses if diagnosis.status not in OVER]
    return tuple(doubt.title for doubt in doubts if doubt.first(present))


def trusted_hba1c(context: PatientContext) -> tuple[Observed, ...]:
    """Newest first."""
    return tuple(fact for fact in context.all("hba1c") if not hba1c_unreliable(context, fact.when.day))


def outpatient(context: PatientContext, *analytes: str) -> tuple[Observed, ...]:
    """Measurements outside hospital and off steroids, newest first."""
    facts = circumstances.outside_hospital(context, *analytes)
    return tuple(fact for fact in facts if not _on_steroid(context, fact.when.day))


def _on_steroid(context: PatientContext, day: date) -> bool:
    return any(_covers(drug, day) for drug in context.drugs if value_sets.STEROID.has(drug))


def _covers(drug: Drug, day: date) -> bool:
    if drug.status in NOT_TAKEN or drug.start is None or drug.start.earliest.date() > day:
        return False
    if drug.end:
        return day <= drug.end.day
    return drug.status == "active" or day <= drug.start.day + timedelta(days=rules.STEROID_DAYS)
