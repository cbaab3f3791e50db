"""From chart to the model's row. What is the same for every model stands in `cds.estimate`."""

from __future__ import annotations

from cds import estimate
from cds.circumstances import outside_hospital
from cds.context import PatientContext
from cds.estimate import Inputs
from cds.facts import Observed
from cds.services.hypertension import rules
from cds.services.hypertension.features import FEATURES


def inputs(context: PatientContext) -> Inputs:
    histories = {"glucose": _glucose, "bmi": estimate.bmi}
    return estimate.inputs(context, FEATURES, months=rules.LOOK_BACK_MONTHS, histories=histories)


def _glucose(context: PatientContext) -> tuple[Observed, ...]:
    facts = outside_hospital(context, "glucose", "fasting_glucose", "blood_glucose")
    return tuple(fact for fact in facts if not fact.quantity.comparator)
