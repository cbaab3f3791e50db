"""The chart as this service reads it: who is left out, and which blood pressures count as readings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from cds import circumstances, estimate
from cds.context import PatientContext
from cds.facts import Observed, Quantity, When
from cds.features import contradict
from cds.finding import NotApplicable
from cds.services.hypertension import rules, value_sets

_OTHER_PRESSURES = ("pulmon", "portal", "ocular", "intracran", "family", "risk", "screen", "white coat", "gestation")


class Reading(Struct, frozen=True, kw_only=True):
    """The mean of one day, mmHg; a number that was not measured is None."""

    systolic: Observed | None
    diastolic: Observed | None

    @property
    def facts(self) -> tuple[Observed, ...]:
        return tuple(fact for fact in (self.systolic, self.diastolic) if fact)

    @property
    def when(self) -> When:
        return self.facts[0].when

    def reaches(self, systolic: float, diastolic: float) -> bool:
        """One number is enough."""
        pairs = ((self.systolic, systolic), (self.diastolic, diastolic))
        return any(fact is not None and fact.quantity.value >= cut_off for fact, cut_off in pairs)

    @property
    def raised(self) -> bool:
        return self.reaches(rules.RAISED_SYSTOLIC, rules.RAISED_DIASTOLIC)


def exclusion(context: PatientContext) -> NotApplicable | None:
    """The first reason for which the question does not arise."""
    if out := circumstances.no_credible_adult(context):
        return out
    if found := value_sets.HYPERTENSION.first([diagnosis for diagnosis in context.diagnoses if diagnosis.certain]):
        return NotApplicable(rule="diagnosed", detail=found.text)
    if drug := value_sets.LOWERING.first(circumstances.taken(context, months=rules.DRUG_LOOK_BACK_MONTHS)):
        return NotApplicable(rule="treated", detail=drug.text)
    return circumstances.elsewhere(context)


def readings(context: PatientContext) -> tuple[Reading, ...]:
    """Newest first."""
    facts = circumstances.outside_hospital(context, "systolic", "diastolic")
    visits = groupby(_sound(facts), key=lambda fact: fact.when.text[:10])
    return tuple(_mean(list(visit)) for _, visit in visits)


def _sound(facts: Sequence[Observed]) -> list[Observed]:
    """Without pressures whose two numbers contradict each other; those of one measurement share their source."""
    systolic = {fact.source: fact.quantity.value for fact in facts if fact.analyte == "systolic"}
    diastolic = {fact.source: fact.quantity.value for fact in facts if fact.analyte == "diastolic"}
    wrong = {source for source in systolic.keys() & diastolic.keys() if contradict(systolic[source], diastolic[source])}
    return [fact for fact in facts if fact.source not in wrong]


def _mean(visit: list[Observed]) -> Reading:
    return Reading(
        **{key: _mean_of([fact for fact in visit if fact.analyte == key]) for key in ("systolic", "diastolic")}
    )


def _mean_of(facts: list[Observed]) -> Observed | None:
    if len(facts) < 2:
        return facts[0] if facts else None
    mean = Quantity(
        value=round(sum(fact.quantity.value for fact in facts) / len(facts), 1), unit=facts[0].quantity.unit
    )
    return replace(facts[0], quantity=mean, reported=mean)


def due_after_months(context: PatientContext, newest: Reading | None) -> int:
    """USPSTF 2021: each year from 40 or at increased risk, else every three to five."""
    bodies = [fact for fact in estimate.bmi(context) if fact.when.within(rules.YEARLY_MONTHS, context.today)]
    at_risk = (
        (context.age or 0) >= rules.EVERY_YEAR_FROM,
        bool(bodies) and bodies[0].quantity.value >= rules.OVERWEIGHT_BMI,
        newest is not None and newest.reaches(rules.HIGH_NORMAL_SYSTOLIC, rules.HIGH_NORMAL_DIASTOLIC),
        value_sets.black(context.patient.race_codes),
    )
    return rules.YEARLY_MONTHS if any(at_risk) else rules.SELDOM_MONTHS


def uncoded_hypertension(context: PatientContext) -> bool:
    """A diagnosis in words alone is no diagnosis to us, but worth a look."""
    texts = [diagnosis.text.lower() for diagnosis in context.diagnoses if not diagnosis.codes]
    return any("hypertens" in text and not any(word in text for word in _OTHER_PRESSURES) for text in texts)


def unusable(context: PatientContext) -> str:
    """What of the deciding record is there and cannot be used, in one sentence; "" if nothing."""
    if "conditions" in circumstances.spoiled(context):
        return "Some diagnoses could not be read: hypertension may be on record already."
    spoiled = {issue.analyte for issue in context.issues if issue.need == "vitals"}
    if spoiled & {"systolic", "diastolic"} and not readings(context):
        return "A blood pressure is on record and could not be used."
    return ""
