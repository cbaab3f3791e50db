"""What turned out: did this person have diabetes on the day when the model was asked?"""

from __future__ import annotations

from datetime import datetime, timedelta

from cds.context import PatientContext
from cds.facts import Observed
from cds.service import Truth
from cds.services.diabetes import chart, rules, value_sets
from cds.truth import diagnosed


def truth(context: PatientContext, *, since: datetime) -> Truth | None:
    """The first HbA1c that may be interpreted decides, as in training; without one, a diagnosis does."""
    until = since + timedelta(days=rules.TRUTH_DAYS)
    for result in reversed(chart.trusted_hba1c(context)):
        at = result.when.earliest
        if since.date() <= at.date() and at <= until and _says_something(context, result):
            return Truth(label=rules.reaches(result, rules.DIABETES_HBA1C), at=at, known_by="result")
    return diagnosed(context, value_sets.DIABETES, since=since, until=until)


def _says_something(context: PatientContext, result: Observed) -> bool:
    """A limit ("<7 %") and a value under treatment do not rule diabetes out."""
    treated = any(
        value_sets.GLUCOSE_LOWERING.has(drug) and drug.start and drug.start.earliest <= result.when.latest
        for drug in context.drugs
    )
    return rules.reaches(result, rules.DIABETES_HBA1C) or not (treated or result.reported.comparator)
