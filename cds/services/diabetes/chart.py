"""The chart as this service reads it: who is left out, which HbA1c and which glucose may be trusted."""

from __future__ import annotations

from datetime import date, timedelta

from cds.context import PatientContext
from cds.facts import Coded, Drug, Observed
from cds.finding import NotApplicable
from cds.services.diabetes import rules, value_sets
from cds.services.diabetes.rules import months_before

_NOT_TAKEN = {"cancelled", "draft", "entered-in-error"}
_TAKEN_NOW = {"active", "on-hold", "unknown", ""}
_CLOSED = {"finished", "cancelled", "entered-in-error", "planned"}
_ORDERED = {"draft", "active", "on-hold"}


def exclusion(context: PatientContext) -> NotApplicable | None:
    """The first reason for which the question does not arise."""
    age = context.age
    if context.patient.deceased:
        return NotApplicable(rule="deceased")
    if age is None:
        return NotApplicable(rule="age-unknown")
    if age < rules.ADULT_YEARS:
        return NotApplicable(rule="child")
    if found := value_sets.DIABETES.first([diagnosis for diagnosis in context.diagnoses if diagnosis.certain]):
        return NotApplicable(rule="diagnosed", detail=found.text)
    if drug := _glucose_lowering(context):
        return NotApplicable(rule="treated", detail=drug.text)
    if _pregnant(context):
        return NotApplicable(rule="pregnant")
    if _hospice(context):
        return NotApplicable(rule="hospice")
    if _in_hospital(context):
        return NotApplicable(rule="in-hospital")
    return None


def _glucose_lowering(context: PatientContext) -> Drug | None:
    since = months_before(context.today, rules.DRUG_LOOK_BACK_MONTHS)
    taken = [
        drug
        for drug in context.drugs
        if drug.status in _TAKEN_NOW or (drug.status not in _NOT_TAKEN and drug.start and drug.start.day >= since)
    ]
    return value_sets.GLUCOSE_LOWERING.first(taken)


def _pregnant(context: PatientContext) -> bool:
    facts = (*context.diagnoses, *context.treatments)
    return any(value_sets.PREGNANCY.has(fact) and _pregnancy_counts(fact, context.today) for fact in facts)


def _pregnancy_counts(fact: Coded, today: date) -> bool:
    """Open entries without a date count; dated ones until 12 weeks after their end, which no pregnancy puts off for ever."""
    if fact.end is None and fact.start is None:
        return fact.status not in {"resolved", "inactive", "remission"}
    ended = fact.end.day if fact.end else fact.start.day + timedelta(days=rules.PREGNANCY_DAYS)  # type: ignore[union-attr]
    return today <= ended + timedelta(days=rules.AFTER_PREGNANCY_DAYS)


def _hospice(context: PatientContext) -> bool:
    since = months_before(context.today, rules.HOSPICE_LOOK_BACK_MONTHS)
    facts = (*context.diagnoses, *context.treatments, *context.stays, *context.orders)
    return any(value_sets.HOSPICE.has(fact) and _touches(fact, since) for fact in facts)


def _touches(fact: Coded, since: date) -> bool:
    """Undated, or dated on or after `since`."""
    last = fact.end or fact.start
    return last is None or last.day >= since


def _in_hospital(context: PatientContext) -> bool:
    """The encounter that the EHR named, or, if it named none, any that is open."""
    here = [stay for stay in context.stays if stay.source == f"Encounter/{context.encounter_id}"]
    current = here or [stay for stay in context.stays if stay.end is None and stay.status not in _CLOSED]
    return value_sets.HOSPITAL.first(current) is not None


def hba1c_unreliable(context: PatientContext, on: date) -> str:
    """Why an HbA1c taken on that day must not be interpreted; "" if it may."""
    facts = (*context.diagnoses, *context.treatments)
    for lasting in (value_sets.SICKLE_OR_G6PD, value_sets.HAEMODIALYSIS):
        if lasting.first(facts):
            return lasting.title
    recent = [fact for fact in facts if _just_before(fact, on)]
    if value_sets.TRANSFUSION_OR_BLOOD_LOSS.first(recent):
        return value_sets.TRANSFUSION_OR_BLOOD_LOSS.title
    drugs = [drug for drug in context.drugs if drug.status not in _NOT_TAKEN and _just_before(drug, on)]
    return value_sets.ERYTHROPOIETIN.title if value_sets.ERYTHROPOIETIN.first(drugs) else ""


def _just_before(fact: Coded, on: date) -> bool:
    """Within the life of a red cell before that day, or still going on."""
    if fact.start is None or fact.start.day > on:
        return False
    last = fact.end.day if fact.end else on if fact.status == "active" and isinstance(fact, Drug) else fact.start.day
    return (on - last).days <= rules.RED_CELL_DAYS


def hba1c_doubts(context: PatientContext) -> tuple[str, ...]:
    """What makes an HbA1c less certain without forbidding it."""
    doubts = (value_sets.HAEMOGLOBIN_VARIANT, value_sets.CKD_4_5, value_sets.ANAEMIA)
    active = [
        diagnosis for diagnosis in context.diagnoses if diagnosis.status not in {"resolved", "inactive", "remission"}
    ]
    return tuple(doubt.title for doubt in doubts if doubt.first(active))


def trusted_hba1c(context: PatientContext) -> tuple[Observed, ...]:
    """Newest first."""
    return tuple(fact for fact in context.all("hba1c") if not hba1c_unreliable(context, fact.when.day))


def outpatient(context: PatientContext, *analytes: str) -> tuple[Observed, ...]:
    """Measurements outside hospital and off steroids, newest first."""
    facts = [fact for analyte in analytes for fact in context.all(analyte)]
    kept = [fact for fact in facts if not _taken_in_hospital(context, fact) and not _on_steroid(context, fact.when.day)]
    return tuple(sorted(kept, key=lambda fact: fact.when.latest, reverse=True))


def _taken_in_hospital(context: PatientContext, fact: Observed) -> bool:
    stays = [stay for stay in context.stays if value_sets.HOSPITAL.has(stay)]
    if fact.encounter and any(fact.encounter.endswith(stay.source) for stay in stays):
        return True
    return any(
        stay.start and stay.end and stay.start.earliest <= fact.when.latest and fact.when.earliest <= stay.end.latest
        for stay in stays
    )


def _on_steroid(context: PatientContext, day: date) -> bool:
    return any(_covers(drug, day) for drug in context.drugs if value_sets.STEROID.has(drug))


def _covers(drug: Drug, day: date) -> bool:
    if drug.status in _NOT_TAKEN or drug.start is None or drug.start.day > day:
        return False
    if drug.end:
        return day <= drug.end.day
    return drug.status == "active" or day <= drug.start.day + timedelta(days=rules.STEROID_DAYS)


def ordered(context: PatientContext, *codes: str) -> bool:
    """Is a test of one of these LOINC codes ordered and not yet done?"""
    return any(order.status in _ORDERED and any(code.code in codes for code in order.codes) for order in context.orders)
