"""The chart as this service reads it: who is left out, which HbA1c and which glucose may be trusted."""

from __future__ import annotations

from datetime import date, timedelta

from cds.context import PatientContext
from cds.dates import months_before
from cds.facts import Coded, Drug, Observed, Stay
from cds.finding import NotApplicable
from cds.services.diabetes import rules, value_sets
from cds.value_sets import ValueSet

_NOT_TAKEN = {"cancelled", "draft", "entered-in-error", "not-taken", "intended"}
_TAKEN_NOW = {"active", "on-hold", "unknown", ""}
_CLOSED = {"finished", "cancelled", "entered-in-error", "planned"}
_ORDERED = {"draft", "active", "on-hold"}
_OVER = {"resolved", "inactive", "remission"}
_GOING_ON = {"active", "recurrence", "relapse", "in-progress", "arrived", "triaged", "onleave"}
_NOT_DIABETES = ("insipidus", "prediabet", "pre-diabet", "family", "risk", "screen", "gestational")
_NO_LONGER = {"revoked", "cancelled", "not-done"}


def exclusion(context: PatientContext) -> NotApplicable | None:
    """The first reason for which the question does not arise."""
    age = context.age
    if context.patient.deceased:
        return NotApplicable(rule="deceased")
    if age is None or age > rules.OLDEST_CREDIBLE_YEARS:
        return NotApplicable(rule="age-unknown")
    if age < rules.ADULT_YEARS:
        return NotApplicable(rule="child")
    if found := value_sets.DIABETES.first([diagnosis for diagnosis in context.diagnoses if diagnosis.certain]):
        return NotApplicable(rule="diagnosed", detail=found.text)
    if drug := _glucose_lowering(context):
        return NotApplicable(rule="treated", detail=drug.text)
    if treated := value_sets.LONG_TERM_TREATMENT.first(
        [item for item in context.diagnoses if item.status not in _OVER]
    ):
        return NotApplicable(rule="treated", detail=treated.text)
    if _pregnant(context):
        return NotApplicable(rule="pregnant")
    if _hospice(context):
        return NotApplicable(rule="hospice")
    if _in_hospital(context):
        return NotApplicable(rule="in-hospital")
    return None


def uncoded_diabetes(context: PatientContext) -> bool:
    """A diagnosis in words alone is no diagnosis to us, but worth a look."""
    texts = [diagnosis.text.lower() for diagnosis in context.diagnoses if not diagnosis.codes]
    return any("diabet" in text and not any(word in text for word in _NOT_DIABETES) for text in texts)


def unusable(context: PatientContext) -> str:
    """What of the deciding record is there and cannot be used, in one sentence; "" if nothing."""
    spoiled = {issue.need for issue in context.issues if not issue.reason.split(": ")[-1].startswith("status ")}
    if "conditions" in spoiled:
        return "Some diagnoses could not be read: diabetes may be on record already."
    if "hba1c" in spoiled and not context.all("hba1c"):
        return "An HbA1c is on record and could not be used."
    return ""


def _glucose_lowering(context: PatientContext) -> Drug | None:
    since = months_before(context.today, rules.DRUG_LOOK_BACK_MONTHS)
    taken = [
        drug
        for drug in context.drugs
        if drug.status in _TAKEN_NOW or (drug.status not in _NOT_TAKEN and drug.start and drug.start.day >= since)
    ]
    return value_sets.GLUCOSE_LOWERING.first(taken)


def _pregnant(context: PatientContext) -> bool:
    """Now, or up to 12 weeks ago."""
    facts = (*context.diagnoses, *context.treatments)
    deliveries = [fact for fact in facts if value_sets.DELIVERY.has(fact)]
    pregnancies = [fact for fact in facts if value_sets.PREGNANCY.has(fact) and fact not in deliveries]
    over = [
        fact.start.day for fact in facts if fact.start and (fact in deliveries or value_sets.NOT_PREGNANT.has(fact))
    ]
    if any(fact.start is None and fact.end is None and fact.status not in _OVER for fact in pregnancies):
        return True
    ends = [
        *(fact.end.day if fact.end else fact.start.day for fact in deliveries if fact.start),
        *(_pregnancy_end(fact, over) for fact in pregnancies if fact.start or fact.end),
    ]
    return any(context.today <= end + timedelta(days=rules.AFTER_PREGNANCY_DAYS) for end in ends)


def _pregnancy_end(fact: Coded, over: list[date]) -> date:
    """As recorded; else the first day on which it was over; else by its longest course, so that none goes on for ever."""
    if fact.end or fact.start is None:
        return fact.end.day if fact.end else date.max
    start = fact.start.day
    return min([day for day in over if day >= start] + [start + timedelta(days=rules.PREGNANCY_DAYS)])


def _hospice(context: PatientContext) -> bool:
    since = months_before(context.today, rules.HOSPICE_LOOK_BACK_MONTHS)
    facts = (*context.diagnoses, *context.treatments, *context.stays, *context.orders)
    return any(value_sets.HOSPICE.has(fact) and _touches(fact, since) for fact in facts)


def _touches(fact: Coded, since: date) -> bool:
    """Undated, still going on, or dated on or after `since`."""
    if fact.status in _NO_LONGER:
        return False
    last = fact.end or fact.start
    return last is None or last.day >= since or (fact.end is None and fact.status in _GOING_ON)


def _in_hospital(context: PatientContext) -> bool:
    """The encounter that the EHR named, or, if it named none, any that is open."""
    here = [stay for stay in context.stays if stay.source == f"Encounter/{context.encounter_id}"]
    current = here or [stay for stay in context.stays if _open(context, stay)]
    return value_sets.HOSPITAL.first(current) is not None


def _open(context: PatientContext, stay: Stay) -> bool:
    """Not ended, or to end later as planned; one that nobody closed for a year is forgotten, not a stay."""
    if stay.status in _CLOSED or (stay.end and stay.end.latest < context.now):
        return False
    return stay.start is None or stay.start.day >= months_before(context.today, rules.FORGOTTEN_STAY_MONTHS)


def hba1c_unreliable(context: PatientContext, on: date) -> str:
    """Why an HbA1c taken on that day must not be interpreted; "" if it may."""
    facts = (*context.diagnoses, *context.treatments)
    recent = [fact for fact in facts if _just_before(fact, on)]
    if value_sets.SICKLE_OR_G6PD.first(facts):
        return value_sets.SICKLE_OR_G6PD.title
    open_diagnoses = [diagnosis for diagnosis in context.diagnoses if diagnosis.status not in _OVER]
    if value_sets.HAEMODIALYSIS.first([*open_diagnoses, *recent]):
        return value_sets.HAEMODIALYSIS.title
    if value_sets.TRANSFUSION_OR_BLOOD_LOSS.first(recent):
        return value_sets.TRANSFUSION_OR_BLOOD_LOSS.title
    drugs = [drug for drug in context.drugs if drug.status not in _NOT_TAKEN and _just_before(drug, on)]
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
    present = [diagnosis for diagnosis in context.diagnoses if diagnosis.status not in _OVER]
    return tuple(doubt.title for doubt in doubts if doubt.first(present))


def trusted_hba1c(context: PatientContext) -> tuple[Observed, ...]:
    """Newest first."""
    return tuple(fact for fact in context.all("hba1c") if not hba1c_unreliable(context, fact.when.day))


def outpatient(context: PatientContext, *analytes: str) -> tuple[Observed, ...]:
    """Measurements outside hospital and off steroids, newest first."""
    facts = [fact for analyte in analytes for fact in context.all(analyte)]
    kept = [fact for fact in facts if not _taken_in_hospital(context, fact) and not _on_steroid(context, fact.when.day)]
    return tuple(sorted(kept, key=lambda fact: fact.when.earliest, reverse=True))


def _taken_in_hospital(context: PatientContext, fact: Observed) -> bool:
    stays = [stay for stay in context.stays if value_sets.HOSPITAL.has(stay)]
    visit = "/".join((fact.encounter or "").partition("/_history/")[0].split("/")[-2:])
    return any(_during(stay, fact) or (visit and stay.source == visit) for stay in stays)


def _during(stay: Stay, fact: Observed) -> bool:
    """A finished stay without an end counts for its day, one that goes on for every day since."""
    if stay.start is None or fact.when.latest < stay.start.earliest:
        return False
    if stay.end is None and stay.status not in _CLOSED:
        return months_before(fact.when.day, rules.FORGOTTEN_STAY_MONTHS) <= stay.start.day
    return fact.when.earliest <= (stay.end or stay.start).latest or fact.when.day == (stay.end or stay.start).day


def _on_steroid(context: PatientContext, day: date) -> bool:
    return any(_covers(drug, day) for drug in context.drugs if value_sets.STEROID.has(drug))


def _covers(drug: Drug, day: date) -> bool:
    if drug.status in _NOT_TAKEN or drug.start is None or drug.start.earliest.date() > day:
        return False
    if drug.end:
        return day <= drug.end.day
    return drug.status == "active" or day <= drug.start.day + timedelta(days=rules.STEROID_DAYS)


def ordered(context: PatientContext, test: ValueSet, *words: str, results: tuple[Observed, ...]) -> bool:
    """Is the test ordered, by its code or with all of these words, and not yet done? `results` of it, newest first.

    Many EHRs leave an order active when its result is there, so one that is older than the newest result is done.
    """
    since = months_before(context.today, rules.ORDER_LOOK_BACK_MONTHS)
    return any(
        order.status in _ORDERED
        and (order.start is None or order.start.day >= since)
        and not (results and order.start and order.start.earliest <= results[0].when.latest)
        and (test.has(order) or (words and all(word in order.text.lower() for word in words)))
        for order in context.orders
    )
