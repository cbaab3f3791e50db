"""What turned out: was this person's blood pressure raised on the day when the model was asked?"""

from __future__ import annotations

from datetime import datetime, timedelta

from cds.context import PatientContext
from cds.service import Truth
from cds.services.hypertension import rules, value_sets
from cds.services.hypertension.chart import Reading, readings
from cds.truth import diagnosed


def truth(context: PatientContext, *, since: datetime) -> Truth | None:
    """The first reading decides, as in training; without one, a diagnosis does."""
    until = since + timedelta(days=rules.TRUTH_DAYS)
    for reading in reversed(readings(context)):
        at = reading.when.earliest
        if since.date() <= at.date() and at <= until and _says_something(context, reading):
            return Truth(label=reading.raised, at=at, known_by="result")
    return diagnosed(context, value_sets.HYPERTENSION, since=since, until=until)


def _says_something(context: PatientContext, reading: Reading) -> bool:
    """A low reading under treatment does not rule hypertension out; nor does one number alone."""
    treated = any(
        value_sets.LOWERING.has(drug) and drug.start and drug.start.earliest <= reading.when.latest
        for drug in context.drugs
    )
    return reading.raised or not (treated or len(reading.facts) < 2)
