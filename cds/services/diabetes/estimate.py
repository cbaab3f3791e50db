"""From chart to the model's row, and from the model's score to an estimate that explains itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from cds.context import PatientContext
from cds.facts import Observed, Quantity
from cds.finding import Estimate, Factor, Missing
from cds.services.diabetes import features, rules
from cds.services.diabetes.chart import outpatient
from scoring.explain import points
from scoring.shelf import Model

_GLUCOSE = ("glucose", "fasting_glucose", "blood_glucose")
_SEX = {"male": features.MALE, "female": features.FEMALE}
_OLDEST_BAND = 100  # the survey's last age band is open
_BMI_DISAGREES = 0.05  # a BMI further than this from weight and height is replaced by the computed one


class Inputs(Struct, frozen=True, kw_only=True):
    """What the model may see of this chart: the newest value of each feature inside its look-back."""

    row: tuple[float, ...]
    observed: Mapping[str, Observed]
    missing: tuple[Missing, ...]
    cautions: tuple[str, ...]

    @property
    def pattern(self) -> str:
        return features.pattern(self.row)

    @property
    def glucose_known(self) -> bool:
        return "glucose" in self.observed


def inputs(context: PatientContext) -> Inputs:
    """Train and serve share `features.row`; this only finds the values."""
    histories = {key: _history(context, key) for key in rules.LOOK_BACK_MONTHS}
    newest = {key: facts[0] for key, facts in histories.items() if facts and _fresh(context, key, facts[0])}
    newest, cautions = _whole_pressure(newest), (*_whole_blood(newest), *_unverified(newest))
    values: dict[str, float | None] = {key: fact.quantity.value for key, fact in newest.items()}
    values |= {"age": context.age, "sex": _SEX.get(context.patient.sex)}
    missing = tuple(
        Missing(label=feature.label, last=histories[feature.key][0].when if histories[feature.key] else None)
        for feature in features.FEATURES
        if feature.key in histories and feature.key not in newest
    )
    return Inputs(row=tuple(features.row(values)), observed=newest, missing=missing, cautions=cautions)


def bmi_known(context: PatientContext) -> bool:
    """Charted or from weight and height, inside its look-back."""
    return any(_fresh(context, "bmi", fact) for fact in _bmi(context)[:1])


def _history(context: PatientContext, key: str) -> tuple[Observed, ...]:
    if key == "glucose":
        return tuple(fact for fact in outpatient(context, *_GLUCOSE) if not fact.quantity.comparator)
    return _bmi(context) if key == "bmi" else context.all(key)


def _fresh(context: PatientContext, key: str, fact: Observed) -> bool:
    return rules.within(fact, context.now, rules.LOOK_BACK_MONTHS[key])


def _bmi(context: PatientContext) -> tuple[Observed, ...]:
    """The charted BMI, unless there is a newer weight, or one of its day contradicts it by more than 5 %."""
    charted, weights = context.all("bmi"), context.all("weight")
    heights = [fact for fact in context.all("height") if _grown_up(context, fact)]
    if not weights or not heights:
        return charted
    weight, height = weights[0], heights[0]
    computed = weight.quantity.value / (height.quantity.value / 100) ** 2
    newer = bool(charted) and charted[0].when.earliest > weight.when.latest
    as_new = bool(charted) and charted[0].when.latest >= weight.when.earliest
    if newer or (as_new and _agree(charted[0].quantity.value, computed)):
        return charted
    low, high = next((item.low, item.high) for item in features.FEATURES if item.key == "bmi")
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


def _grown_up(context: PatientContext, fact: Observed) -> bool:
    """A child's height says nothing about the adult's BMI."""
    return (context.patient.age(fact.when.day) or 0) >= rules.ADULT_YEARS


def _agree(charted: float, computed: float) -> bool:
    return abs(charted - computed) <= _BMI_DISAGREES * computed


def _whole_pressure(newest: dict[str, Observed]) -> dict[str, Observed]:
    """A pressure whose two numbers contradict each other is no pressure."""
    pair = [newest.get("systolic"), newest.get("diastolic")]
    if pair[0] and pair[1] and pair[0].quantity.value <= pair[1].quantity.value:
        return {key: fact for key, fact in newest.items() if key not in {"systolic", "diastolic"}}
    return newest


def _whole_blood(newest: Mapping[str, Observed]) -> tuple[str, ...]:
    glucose = newest.get("glucose")
    if glucose is None or glucose.analyte != "blood_glucose":
        return ()
    return ("The glucose was measured in whole blood, which reads lower than plasma.",)


def _unverified(newest: Mapping[str, Observed]) -> tuple[str, ...]:
    doubtful = [
        feature.label for feature in features.FEATURES if feature.key in newest and not newest[feature.key].certain
    ]
    return (f"{' and '.join(doubtful)}: from an imaging report that nobody has verified.",) if doubtful else ()


def estimate(found: Inputs, context: PatientContext, *, model: Model, threshold: float) -> Estimate | None:
    """The probability with every factor's share; None where the model abstains for this pattern of missing data."""
    if model.facts["patterns"][found.pattern]["abstain"]:
        return None
    score = model.score(found.row)
    shares = zip(features.FEATURES, found.row, score.contributions, points(score), strict=True)
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
    feature: features.Feature,
    number: float,
    contribution: float,
    share: float,
    *,
    found: Inputs,
    context: PatientContext,
) -> Factor:
    fact = found.observed.get(feature.key)
    person = {"age": f"{context.age} years", "sex": context.patient.sex}
    return Factor(
        key=feature.key,
        label=_label(feature, fact),
        contribution=contribution,
        points=share,
        quantity=fact.quantity if fact and not math.isnan(number) else None,
        text=person.get(feature.key, "" if fact else "not known"),
        when=fact.when if fact else None,
        source=fact.source if fact else "",
        modifiable=feature.modifiable,
    )


def _label(feature: features.Feature, fact: Observed | None) -> str:
    """Glucose says in what it was measured."""
    names = {"fasting_glucose": "Glucose (fasting)", "blood_glucose": "Glucose (whole blood)"}
    return names.get(fact.analyte, feature.label) if fact else feature.label


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
