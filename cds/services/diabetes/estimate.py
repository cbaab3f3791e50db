"""From chart to the model's row. What is the same for every model stands in `cds.estimate`."""

from __future__ import annotations

from cds import estimate
from cds.context import PatientContext
from cds.estimate import Inputs
from cds.facts import Observed
from cds.services.diabetes import rules
from cds.services.diabetes.chart import outpatient
from cds.services.diabetes.features import FEATURES

_GLUCOSE = ("glucose", "fasting_glucose", "blood_glucose")


def inputs(context: PatientContext) -> Inputs:
    histories = {"glucose": _glucose, "bmi": estimate.bmi}
    return estimate.inputs(context, FEATURES, months=rules.LOOK_BACK_MONTHS, histories=histories)


def _glucose(context: PatientContext) -> tuple[Observed, ...]:
    """Outside hospital and off steroids; a limit is no number."""
    return tuple(fact for fact in outpatient(context, *_GLUCOSE) if not fact.quantity.comparator)
