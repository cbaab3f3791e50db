"""From chart to a model's row, and from the model's score to an estimate that explains itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from cds.analytes import BMI
from cds.context import PatientContext
from cds.facts import Observed, Quantity
from cds.features import ADULT_YEARS, SEX, Feature, Features, contradict
from cds.finding import Estimate, Factor, Missing
from scoring.explain import points
from scoring.shelf import Model

History = Callable[[PatientContext], tuple[Observed, ...]]  # of one feature, newest first
_OLDEST_BAND = 100  # the survey's last age band is open
_BMI_DISAGREES = 0.05  # a BMI further than this from weight and height is replaced by the computed one
_PRESSURE = ("systolic", "diastolic")
_NAMES = {"fasting_glucose": "Glucose (fasting)", "blood_glucose": "Glucose (whole blood)"}


class Inputs(Struct, frozen=True, kw_only=True):
    """What a model may see of this chart: the newest value of each feature inside its look-back."""

    row: tuple[float, ...]
    pattern: str
    observed: Mapping[str, Observed]
    missing: tuple[Missing, ...]
    cautions: tuple[str, ...] = ()

    @property
    def glucose_known(self) -> bool:
        return "glucose" in self.observed


def inputs(
    context: PatientContext, features: Features, *, months: Mapping[str, int], histories: Mapping[str, History]
) -> Inputs:
    """`months`: how old each feature may be. `histories`: of those that are not simply all of that analyte.

    Training makes its rows with the same `Features.row`; this only finds the values.
    """
    found = {key: histories[key](context) if key in histories else context.all(key) for key in months}
    fresh = {
        key: facts[0] for key, facts in found.items() if facts and facts[0].when.within(months[key], context.today)
    }
    observed = _whole_pressure(fresh)
    numbers = {key: fact.quantity.value for key, fact in observed.items()}
    row = features.row({**numbers, "age": context.age, "sex": SEX.get(context.patient.sex)})
    lacking = [column for column in features.columns if column.key in months and column.key not in observed]
    return Inputs(
        row=tuple(row),
        pattern=features.pattern(row),
        observed=observed,
        missing=tuple(_missing(column, found[column.key]) for column in lacking),
        cautions=(*_whole_blood(observed), *_unverified(features, observed)),
    )


def _missing(column: Feature, facts: tuple[Observed, ...]) -> Missing:
    return Missing(label=column.label, last=facts[0].when if facts else None)


def _whole_pressure(newest: dict[str, Observed]) -> dict[str, Observed]:
    pair = [newest[key].quantity.value for key in _PRESSURE if key in newest]
    if len(pair) == len(_PRESSURE) and contradict(*pair):
        return {key: fact for key, fact in newest.items() if key not in _PRESSURE}
    return newest


def bmi(context: PatientContext) -> tuple[Observed, ...]:
    """The charted BMI, unless there is a newer weight, or one of its day contradicts it by more than 5 %."""
    charted, weights = context.all("bmi"), context.all("weight")
    height = next((fact for fact in context.all("height") if _grown_up(context, fact)), None)
    if not weights or height is None:
        return charted
    weight = weights[0]
    computed = weight.quantity.value / (height.quantity.value / 100) ** 2
    newer = bool(charted) and charted[0].when.earliest > weight.when.latest
    as_new = bool(charted) and charted[0].when.latest >= weight.when.earliest
    if newer or (as_new and _agree(charted[0].quantity.value, computed)):
        return charted
    low, high = BMI.plausible
    if not low <= computed <= high:
        return charted
    quantity = Quantity(value=round(computed, 1), unit="kg/m2")
    fact = Observed(
        analyte="bmi",
        code=weight.code,
        quantity=quantity,
        reported=quantity,
        when=weight.when,
        source=weight.source,
        certain=weight.certain and height.certain,
    )
    return (fact, *charted)


def bmi_known(context: PatientContext, *, months: int) -> bool:
    """Charted or from weight and height, not older than that."""
    return any(fact.when.within(months, context.today) for fact in bmi(context)[:1])


def _grown_up(context: PatientContext, fact: Observed) -> bool:
    """A child's height says nothing about the adult's BMI."""
    return (context.patient.age(fact.when.day) or 0) >= ADULT_YEARS


def _agree(charted: float, computed: float) -> bool:
    return abs(charted - computed) <= _BMI_DISAGREES * computed


def _whole_blood(observed: Mapping[str, Observed]) -> tuple[str, ...]:
    glucose = observed.get("glucose")
    if glucose is None or glucose.analyte != "blood_glucose":
        return ()
    return ("The glucose was measured in whole blood, which reads lower than plasma.",)


def _unverified(features: Features, observed: Mapping[str, Observed]) -> tuple[str, ...]:
    there = [column for column in features.columns if column.key in observed]
    doubtful = [column.label for column in there if not observed[column.key].certain]
    return (f"{' and '.join(doubtful)}: from an imaging report that nobody has verified.",) if doubtful else ()


def estimate(
    found: Inputs, context: PatientContext, features: Features, *, model: Model, threshold: float
) -> Estimate | None:
    """The probability with every factor's share; None where the model abstains for this pattern of missing data."""
    if model.facts["patterns"][found.pattern]["abstain"]:
        return None
    score = model.score(found.row)
    shares = zip(features.columns, found.row, score.contributions, points(score), strict=True)
    factors = tuple(_factor(*share, found=found, context=context) for share in shares)
    peers, peers_text = _peers(model.facts, context)
    return Estimate(
        probability=score.probability,
        margin=score.margin,
        base=score.base,
        factors=factors,
        threshold=threshold,
        model=model.name,
        version=model.version,
        pattern=found.pattern,
        peers=peers,
        peers_text=peers_text,
    )


def _factor(
    feature: Feature, number: float, contribution: float, share: float, *, found: Inputs, context: PatientContext
) -> Factor:
    fact = found.observed.get(feature.key)
    person = {"age": f"{context.age} years", "sex": context.patient.sex}
    return Factor(
        key=feature.key,
        label=_NAMES.get(fact.analyte, feature.label) if fact else feature.label,
        contribution=contribution,
        points=share,
        quantity=fact.quantity if fact and not math.isnan(number) else None,
        text=person.get(feature.key, "" if fact else "not known"),
        when=fact.when if fact else None,
        source=fact.source if fact else "",
        modifiable=feature.modifiable,
    )


def _peers(facts: Mapping[str, Any], context: PatientContext) -> tuple[float | None, str]:
    """How common the finding was in the survey among people of the same sex and age band."""
    age = context.age or 0
    for band in facts["peers"]:
        if band["sex"] == context.patient.sex and band["age_low"] <= age <= band["age_high"]:
            noun = "women" if band["sex"] == "female" else "men"
            ages = (
                f"{band['age_low']} to {band['age_high']}"
                if band["age_high"] < _OLDEST_BAND
                else f"{band['age_low']} or older"
            )
            return band["probability"], f"{noun} aged {ages}"
    return None, ""
