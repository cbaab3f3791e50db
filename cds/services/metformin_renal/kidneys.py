"""How well the kidneys filter: the eGFR that was reported or that creatinine gives, and whether it is steady."""

from __future__ import annotations

import math
from datetime import timedelta
from itertools import product

from msgspec import Struct

from cds.context import PatientContext
from cds.dates import months_before
from cds.facts import Issue, Observed, Quantity, When
from cds.services.metformin_renal import rules

_MEASURED = {"egfr", "creatinine"}
_WHOLE_DAY = len("2025-03-01")
_SLACK = 1e-9  # 1.2 - 0.9 is a little less than 0.3 to a computer


class Filtration(Struct, frozen=True, kw_only=True):
    """An eGFR in mL/min/1.73 m2, from `low` to `high`: a reported limit leaves one side open. `fact`: what it rests on."""

    low: float
    high: float
    text: str
    fact: Observed
    computed: bool = False

    @property
    def contraindicates(self) -> bool:
        return self.high < rules.CONTRAINDICATED_BELOW

    @property
    def forbids_starting(self) -> bool:
        return self.high < rules.NOT_STARTED_BELOW

    @property
    def may_contraindicate(self) -> bool:
        """A limit such as "<45", which leaves open whether it is below 30."""
        return self.low < rules.CONTRAINDICATED_BELOW <= self.high

    @property
    def settles(self) -> bool:
        """It says whether metformin may be started."""
        return self.forbids_starting or self.low >= rules.NOT_STARTED_BELOW


def filtration(context: PatientContext) -> Filtration | None:
    """The newest known; where a later creatinine says otherwise than the reported eGFR, the lower one."""
    reported, computed = _reported(context), _computed(context)
    if reported is None or computed is None:
        return reported or computed
    later = _later(computed.fact.when, reported.fact.when)
    return min(reported, computed, key=lambda one: one.high) if later else reported


def contrary(context: PatientContext) -> Filtration | None:
    """What a later creatinine gives, if that is another answer than the reported eGFR which counts."""
    used, computed = filtration(context), _computed(context)
    if used is None or computed is None or not _later(computed.fact.when, used.fact.when):
        return None
    return computed if _answer(computed) != _answer(used) else None


def _answer(found: Filtration) -> tuple[bool, bool]:
    return found.contraindicates, found.forbids_starting


def _later(one: When, other: When) -> bool:
    """By the moment where both have one, else by the day."""
    if one.earliest == one.latest and other.earliest == other.latest:
        return one.latest > other.latest
    return one.day > other.day


def recent(context: PatientContext, analyte: str) -> list[Observed]:
    """Of the last 12 months, newest first."""
    since = months_before(context.today, rules.LOOK_BACK_MONTHS)
    return [fact for fact in context.all(analyte) if fact.when.earliest.date() >= since]


def unsettled(context: PatientContext) -> list[Observed]:
    """Reported limits that could lie on both sides of a cut-off."""
    return [fact for fact in recent(context, "egfr") if not _as_reported(fact).settles]


def unusable(context: PatientContext) -> list[Issue]:
    """Newer than what the answer rests on, but not in a state or a shape to rely on; the newest first."""
    since = months_before(context.today, rules.LOOK_BACK_MONTHS)
    used = filtration(context)
    dated = [(one.when, one) for one in context.issues if one.when is not None and one.analyte in _MEASURED]
    newer = [
        (when, issue)
        for when, issue in dated
        if when.earliest.date() >= since and (used is None or _later(when, used.fact.when))
    ]
    return [issue for _, issue in sorted(newer, key=lambda pair: pair[0].latest, reverse=True)]


def passed_over(context: PatientContext) -> bool:
    """Has the record a newer result than the one that the answer rests on?"""
    used = filtration(context)
    limits = [fact for fact in unsettled(context) if used is not None and _later(fact.when, used.fact.when)]
    return bool(limits or unusable(context))


def _reported(context: PatientContext) -> Filtration | None:
    """The newest; of several of one moment the lowest."""
    settling = [fact for fact in recent(context, "egfr") if _as_reported(fact).settles]
    return min((_as_reported(fact) for fact in _newest(settling)), key=lambda one: one.high, default=None)


def _newest(facts: list[Observed]) -> list[Observed]:
    """Of facts with the newest first: the newest, and those of the same moment, or of its day if that is all we know."""
    same_day = [fact for fact in facts if fact.when.earliest.date() == facts[0].when.earliest.date()]
    return [fact for fact in same_day if not _later(facts[0].when, fact.when)]


def _as_reported(fact: Observed) -> Filtration:
    low, high = _range(fact.quantity)
    text = f"{fact.quantity.comparator}{fact.quantity.value:.1f}".removesuffix(".0")
    return Filtration(low=low, high=high, text=text, fact=fact)


def _range(quantity: Quantity) -> tuple[float, float]:
    match quantity.comparator:
        case ">" | ">=":
            return quantity.value, math.inf
        case "<":
            return 0.0, math.nextafter(quantity.value, 0.0)
        case "<=":
            return 0.0, quantity.value
        case _:
            return quantity.value, quantity.value


def _computed(context: PatientContext) -> Filtration | None:
    """From the newest creatinine, of several of one moment the highest, at the age of that day."""
    newest = _newest(recent(context, "creatinine"))
    fact = max(newest, key=lambda one: one.quantity.value, default=None)
    age = context.patient.age(fact.when.day) if fact else None
    sex = context.patient.sex
    if fact is None or age is None or age < rules.ADULT_YEARS or sex not in {"male", "female"}:
        return None
    value = round(ckd_epi_2021(fact.quantity.value, age=age, female=sex == "female"))
    return Filtration(low=value, high=value, text=str(value), fact=fact, computed=True)


def ckd_epi_2021(creatinine: float, *, age: int, female: bool) -> float:
    """eGFR in mL/min/1.73 m2 from creatinine in mg/dL. Inker 2021, N Engl J Med 385:1737."""
    kappa, alpha, factor = (0.7, -0.241, 1.012) if female else (0.9, -0.302, 1.0)
    ratio = creatinine / kappa
    return float(142 * min(ratio, 1.0) ** alpha * max(ratio, 1.0) ** -1.200 * 0.9938**age * factor)


# --- Steady or not -----------------------------------------------------------------------------------------------
class Rise(Struct, frozen=True, kw_only=True):
    """Two results of creatinine that are too far apart for so short a time."""

    before: Observed
    after: Observed


def rise(context: PatientContext) -> Rise | None:
    """KDIGO 2012, 2.1.1. The newest that no kidney value of more than a week later has ended."""
    results = [fact for fact in recent(context, "creatinine") if len(fact.when.text) >= _WHOLE_DAY]
    known = [*recent(context, "egfr"), *results]
    newest = max((fact.when.earliest for fact in known), default=context.now)
    open_until = newest - rules.STEADY_AFTER
    late = [fact for fact in results if fact.when.latest >= open_until]
    pairs = (Rise(before=before, after=after) for after, before in product(late, results))
    return next((pair for pair in pairs if _risen(pair)), None)


def _risen(pair: Rise) -> bool:
    apart = pair.after.when.earliest - pair.before.when.latest
    if apart <= timedelta(0):
        return False
    return (apart <= rules.RISE_WITHIN and _by_amount(pair)) or (apart <= rules.RISE_FOLD_WITHIN and _by_factor(pair))


def _by_amount(pair: Rise) -> bool:
    before, after = pair.before.reported, pair.after.reported
    if before.unit != after.unit or before.unit not in rules.RISE:
        before, after = pair.before.quantity, pair.after.quantity
    return after.value - before.value >= rules.RISE[after.unit] - _SLACK


def _by_factor(pair: Rise) -> bool:
    return pair.after.quantity.value / pair.before.quantity.value >= rules.RISE_FOLD - _SLACK
