"""In which circumstances somebody is: too young, pregnant, in hospice care, in hospital; and what is ordered already.

Most questions do not arise in some of them, whatever the disease.
"""

from __future__ import annotations

from datetime import date, timedelta

from cds.codes import ACT_CODE, ICD9CM, ICD10CM, ICD10WHO, Code
from cds.context import PatientContext
from cds.dates import months_before
from cds.facts import Coded, Drug, Observed, Stay
from cds.features import ADULT_YEARS, OLDEST_CREDIBLE_YEARS
from cds.finding import NotApplicable
from cds.value_sets import ValueSet, begin, snomed

AFTER_PREGNANCY_DAYS = 84  # 12 weeks
PREGNANCY_DAYS = 294  # 42 weeks: an unfinished pregnancy entry ends by then
HOSPICE_LOOK_BACK_MONTHS = 12
ORDER_LOOK_BACK_MONTHS = 12  # an order that nobody followed for longer than this is forgotten
FORGOTTEN_STAY_MONTHS = 12  # an encounter that is still open after this long was never closed

OVER = {"resolved", "inactive", "remission"}  # of a diagnosis
NOT_TAKEN = {"cancelled", "draft", "entered-in-error", "not-taken", "intended"}  # of a prescription
_TAKEN_NOW = {"active", "on-hold", "unknown", ""}
_CLOSED = {"finished", "cancelled", "entered-in-error", "planned"}
_ORDERED = {"draft", "active", "on-hold"}
_GOING_ON = {"active", "recurrence", "relapse", "in-progress", "arrived", "triaged", "onleave"}
_NO_LONGER = {"revoked", "cancelled", "not-done"}

PREGNANCY = ValueSet(
    title="pregnancy",
    codes=snomed("77386006 72892002 47200007 79586000 11687002 398254007 10231000132102 198609003"),
    prefixes=(
        *begin(ICD10CM, "O", "Z33", "Z34", "Z3A", "Z3201"),
        *begin(ICD10WHO, "O", "Z33", "Z34", "Z35"),
        *begin(ICD9CM, "V22", "V23", *(str(number) for number in range(630, 680))),
    ),
)
# Delivery and the weeks after: by its date the pregnancy had ended.
DELIVERY = ValueSet(
    title="childbirth",
    codes=snomed("236973005 236974004 177184002 11466000"),
    prefixes=(
        *begin(ICD10CM, "O80", "O82", "O85", "O86", "O87", "O90", "O91", "O92", "Z332", "Z37", "Z39"),
        *begin(ICD10WHO, *(f"O8{number}" for number in range(8)), "O90", "O91", "O92", "Z37", "Z39"),
        *begin(ICD9CM, "650", "V24", "V27", *(str(number) for number in range(670, 677))),
    ),
)
NOT_PREGNANT = ValueSet(title="not pregnant", codes=snomed("60001007"))
HOSPICE = ValueSet(
    title="hospice care",
    codes=snomed(
        "385763009 385765002 170935008 170936009 183919006 183920000 183921001",
        "305336008 305911006",
    ),
)
# HL7 v3 ActEncounterCode: inpatient, acute, non-acute, short stay, emergency, observation.
HOSPITAL = ValueSet(
    title="a hospital stay",
    codes=frozenset(Code(ACT_CODE, code) for code in ("IMP", "ACUTE", "NONAC", "SS", "EMER", "OBSENC")),
)


def no_credible_adult(context: PatientContext) -> NotApplicable | None:
    """Deceased, of an unknown age, or a child: the first of these."""
    if context.patient.deceased:
        return NotApplicable(rule="deceased")
    if context.age is None or context.age > OLDEST_CREDIBLE_YEARS:
        return NotApplicable(rule="age-unknown")
    return NotApplicable(rule="child") if context.age < ADULT_YEARS else None


def elsewhere(context: PatientContext) -> NotApplicable | None:
    """Pregnant or lately so, in hospice care, or in hospital: the first of these."""
    if pregnant(context):
        return NotApplicable(rule="pregnant")
    if in_hospice(context):
        return NotApplicable(rule="hospice")
    return NotApplicable(rule="in-hospital") if in_hospital(context) else None


def spoiled(context: PatientContext) -> set[str]:
    """The needs of which something could not be used for another reason than a status that says so."""
    return {issue.need for issue in context.issues if not _by_status(issue.reason.split(": ")[-1])}


def _by_status(reason: str) -> bool:
    """Without any status nobody knows whether it counts."""
    return reason.startswith("status ") and reason != "status missing"


def taken(context: PatientContext, *, months: int) -> list[Drug]:
    """Taken now, or prescribed within so many months."""
    since = months_before(context.today, months)
    return [
        drug
        for drug in context.drugs
        if drug.status in _TAKEN_NOW or (drug.status not in NOT_TAKEN and drug.start and drug.start.day >= since)
    ]


def pregnant(context: PatientContext) -> bool:
    """Now, or up to 12 weeks ago."""
    facts = (*context.diagnoses, *context.treatments)
    deliveries = [fact for fact in facts if DELIVERY.has(fact)]
    pregnancies = [fact for fact in facts if PREGNANCY.has(fact) and fact not in deliveries]
    over = [fact.start.day for fact in facts if fact.start and (fact in deliveries or NOT_PREGNANT.has(fact))]
    if any(fact.start is None and fact.end is None and fact.status not in OVER for fact in pregnancies):
        return True
    ends = [
        *(fact.end.day if fact.end else fact.start.day for fact in deliveries if fact.start),
        *(fact.end.day for fact in pregnancies if fact.end),
        *(_pregnancy_end(fact.start.day, over) for fact in pregnancies if fact.start and not fact.end),
    ]
    return any(context.today <= end + timedelta(days=AFTER_PREGNANCY_DAYS) for end in ends)


def _pregnancy_end(start: date, over: list[date]) -> date:
    """The first day on which it was over; else by its longest course, so that none goes on for ever."""
    return min([day for day in over if day >= start] + [start + timedelta(days=PREGNANCY_DAYS)])


def in_hospice(context: PatientContext) -> bool:
    since = months_before(context.today, HOSPICE_LOOK_BACK_MONTHS)
    facts = (*context.diagnoses, *context.treatments, *context.stays, *context.orders)
    return any(HOSPICE.has(fact) and _touches(fact, since) for fact in facts)


def _touches(fact: Coded, since: date) -> bool:
    """Undated, still going on, or dated on or after `since`."""
    if fact.status in _NO_LONGER:
        return False
    last = fact.end or fact.start
    return last is None or last.day >= since or (fact.end is None and fact.status in _GOING_ON)


def in_hospital(context: PatientContext) -> bool:
    """The encounter that the EHR named, or, if it named none, any that is open."""
    here = [stay for stay in context.stays if stay.source == f"Encounter/{context.encounter_id}"]
    current = here or [stay for stay in context.stays if _open(context, stay)]
    return HOSPITAL.first(current) is not None


def _open(context: PatientContext, stay: Stay) -> bool:
    """Not ended, or to end later as planned; one that nobody closed for a year is forgotten, not a stay."""
    if stay.status in _CLOSED or (stay.end and stay.end.latest < context.now):
        return False
    return stay.start is None or stay.start.day >= months_before(context.today, FORGOTTEN_STAY_MONTHS)


def outside_hospital(context: PatientContext, *analytes: str) -> tuple[Observed, ...]:
    """Measurements of these, newest first, without those of stays in hospital and emergency visits."""
    facts = [fact for analyte in analytes for fact in context.all(analyte)]
    kept = [fact for fact in facts if not taken_in_hospital(context, fact)]
    return tuple(sorted(kept, key=lambda fact: fact.when.earliest, reverse=True))


def taken_in_hospital(context: PatientContext, fact: Observed) -> bool:
    stays = [stay for stay in context.stays if HOSPITAL.has(stay)]
    visit = "/".join((fact.encounter or "").partition("/_history/")[0].split("/")[-2:])
    return any(_during(stay, fact) or (visit and stay.source == visit) for stay in stays)


def _during(stay: Stay, fact: Observed) -> bool:
    """A finished stay without an end counts for its day, one that goes on for every day since."""
    if stay.start is None or fact.when.latest < stay.start.earliest:
        return False
    if stay.end is None and stay.status not in _CLOSED:
        return months_before(fact.when.day, FORGOTTEN_STAY_MONTHS) <= stay.start.day
    return fact.when.earliest <= (stay.end or stay.start).latest or fact.when.day == (stay.end or stay.start).day


def ordered(context: PatientContext, test: ValueSet, *words: str, results: tuple[Observed, ...]) -> bool:
    """Is the test ordered, by its code or with all of these words, and not yet done? `results` of it, newest first.

    Many EHRs leave an order active when its result is there, so one that is older than the newest result is done.
    """
    since = months_before(context.today, ORDER_LOOK_BACK_MONTHS)
    return any(
        order.status in _ORDERED
        and (order.start is None or order.start.day >= since)
        and not (results and order.start and order.start.earliest <= results[0].when.latest)
        and (test.has(order) or (words and all(word in order.text.lower() for word in words)))
        for order in context.orders
    )
