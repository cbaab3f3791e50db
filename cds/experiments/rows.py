"""What became of whom: each patient once, by the arm of their first time, whatever was shown to them later.

Two records that were merged are one patient: the record that goes on counts if it was drawn by itself, else the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from msgspec import Struct

from cds.finding import NotApplicable, Outcome, from_json
from cds.models import Enrolment, Experiment, Feedback, IssuedCard, Merge
from cds.protocol import Metric
from scoring.models import Prediction


class Person(Struct, frozen=True, kw_only=True):
    """`happened` is what the metric asks; None where it says nothing about this person."""

    patient_key: str
    unit_key: str
    other: bool
    at: datetime
    assessment: UUID
    happened: bool | None
    twin: bool | None = None  # the same, in the other way; of a shadow only
    label: bool | None = None
    probability: float | None = None
    twin_probability: float | None = None


class Told(Struct, frozen=True, kw_only=True):
    """What is known about one enrolment's answer."""

    alert: bool
    probability: float | None
    label: bool | None  # as known within the follow-up
    card: bool
    accepted: bool
    overridden: bool


def people(experiment: Experiment, *, now: datetime | None = None) -> list[Person]:
    """Those whose follow-up is over, in the order in which they came."""
    protocol = experiment.protocol
    until = (now or timezone.now()) - timedelta(days=protocol.days)
    found: dict[str, Person] = {}
    known = _Known(experiment)
    rows = enrolled(experiment).exclude(arm="").exclude(patient_key__in=set_aside(experiment))
    for row in rows.filter(at__lte=until).iterator():
        if row.patient_key not in found and (person := _person(row, known)):
            found[row.patient_key] = person
    return list(found.values())


def enrolled(experiment: Experiment) -> Any:
    """Test patients count nowhere, and neither does what has no answer yet."""
    rows = experiment.enrolments.filter(assessment__test=False, assessment__status="done")
    if experiment.protocol.form == "shadow":
        rows = rows.filter(twin__status="done")
    return (
        rows.select_related("assessment", "twin").defer("assessment__snapshot", "twin__snapshot").order_by("at", "pk")
    )


def set_aside(experiment: Experiment) -> set[str]:
    """The keys of records that were drawn, and do not count because another one of the same patient does."""
    goes_on = Merge.survivors(experiment.ehr_id)
    rows = enrolled(experiment).exclude(arm="").filter(patient_key__in={*goes_on, *goes_on.values()})
    drawn = list(rows.values_list("patient_key", "unit_key")) if goes_on else []
    counts: dict[str, str] = {}
    for key, unit in drawn:
        patient = goes_on.get(key, key)
        if patient not in counts or unit == patient:
            counts[patient] = key
    return {key for key, _ in drawn} - set(counts.values())


def _person(row: Enrolment, known: _Known) -> Person | None:
    """None: whom the question does not concern, such as those without a card that could be withheld."""
    protocol = known.experiment.protocol
    told = known.of(row.assessment_id, row.assessment.result, row.at)
    if told is None or (protocol.form == "withheld" and not told.alert):
        return None
    happened = measured(protocol.metric, told)
    twin = known.of(row.twin.pk, row.twin.result, row.at, label_of=row.assessment_id) if row.twin else None
    if protocol.form != "shadow" and happened is None:
        return None
    return Person(
        patient_key=row.patient_key,
        unit_key=row.unit_key,
        other=row.arm == Enrolment.Arm.OTHER,
        at=row.at,
        assessment=row.assessment_id,
        happened=happened,
        twin=measured(protocol.metric, twin) if twin else None,
        label=told.label,
        probability=told.probability,
        twin_probability=twin.probability if twin else None,
    )


def measured(metric: Metric, told: Told) -> bool | None:
    match metric:
        case "alerts":
            return told.alert
        case "tested":
            return told.label is not None
        case "found":
            return told.label is True
        case "right":
            return None if told.label is None else told.alert == told.label
        case "ppv":
            return told.label if told.alert else None
        case "accepted":
            return told.accepted if told.card else None
        case "overridden":
            return told.overridden if told.card else None


class _Known:
    """Everything about an experiment's answers that is asked of the database, once for all of them."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        cases = experiment.enrolments.values("assessment_id")
        labels = Prediction.objects.filter(case__in=cases).exclude(label=None).exclude(known_by="review")
        self.labels = {case: (label, at) for case, label, at in labels.values_list("case", "label", "labelled_at")}
        cards = IssuedCard.objects.filter(assessment__in=cases).exclude(words_key="")
        self.cards = set(cards.values_list("assessment_id", flat=True))
        heard = Feedback.objects.filter(card__assessment__in=cases)
        self.heard = set(heard.values_list("card__assessment_id", "outcome"))

    def of(self, case: UUID, result: Any, at: datetime, *, label_of: UUID | None = None) -> Told | None:
        outcome = from_json(result) if result else None
        if outcome is None:
            return None
        return Told(
            alert=_alert(outcome),
            probability=_probability(outcome),
            label=self._label(label_of or case, at),
            card=case in self.cards,
            accepted=(case, Feedback.Outcome.ACCEPTED) in self.heard,
            overridden=(case, Feedback.Outcome.OVERRIDDEN) in self.heard,
        )

    def _label(self, case: UUID, at: datetime) -> bool | None:
        label, when = self.labels.get(case, (None, None))
        return label if when and when <= at + timedelta(days=self.experiment.protocol.days) else None


def _alert(outcome: Outcome) -> bool:
    return not isinstance(outcome, NotApplicable) and outcome.alert


def _probability(outcome: Outcome) -> float | None:
    estimate = None if isinstance(outcome, NotApplicable) else outcome.estimate
    return estimate.probability if estimate else None


def units(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Each unit that was drawn, and its arm."""
    rows = enrolled(experiment).exclude(arm="").order_by()
    yield from rows.values_list("unit_key", "arm").distinct()
