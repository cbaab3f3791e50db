"""Assessments as silent mode leaves them behind, without anybody behind them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import msgspec
from django.utils import timezone

from cds import registry
from cds.finding import Estimate, Finding, Missing, NotApplicable, NotEnoughData, Outcome
from cds.models import Assessment, EnabledService
from cds.scorecard import FEWEST_ASSESSMENTS, FEWEST_DAYS
from scoring import shelf
from scoring.models import Prediction

SERVICE = "diabetes-risk"
HIGH = Finding(rule="model-high", alert=True)
LOW = Finding(rule="model-low", alert=False)
UNKNOWN = NotEnoughData(rule="not-enough", missing=(Missing(label="HbA1c"), Missing(label="Waist")))
CHILD = NotApplicable(rule="child")


def assessed(here: EnabledService, *outcomes: Outcome, days_ago: float = 0, seconds: float = 1, **changed: Any) -> None:
    asked = timezone.now() - timedelta(days=days_ago)
    given = {
        "service_version": registry.get(SERVICE).version,
        "model_version": shelf.active_version(SERVICE),
        "threshold": registry.get(SERVICE).threshold,
        "status": "done",
        "finished_at": asked + timedelta(seconds=seconds),
        **changed,
    }
    count = Assessment.objects.count()
    Assessment.objects.bulk_create(
        Assessment(
            ehr=here.ehr,
            service_id=SERVICE,
            fingerprint=str(count + number),
            patient_key=f"patient {number}",
            result=msgspec.json.encode(outcome),
            created_at=asked,
            **given,
        )
        for number, outcome in enumerate(outcomes)
    )


def guess(probability: float) -> Estimate:
    """Without any factor: all of it is the base."""
    margin = math.log(probability / (1 - probability))
    return Estimate(
        probability=probability,
        margin=margin,
        base=margin,
        factors=(),
        threshold=0.1,
        model="diabetes-risk",
        version="1.0.0",
    )


def by_model(probability: float) -> Finding:
    """The model's answer at the service's own threshold of 10 %."""
    rule = "model-high" if probability >= 0.1 else "model-low"
    return Finding(rule=rule, alert=rule == "model-high", estimate=guess(probability))


def learnt(here: EnabledService, **truths: bool) -> None:
    """What turned out later, by the end of the patient's name: `learnt(here, _3=True)`."""
    for name, label in truths.items():
        row = Assessment.objects.filter(ehr=here.ehr, patient_key=f"patient {name[1:]}").latest("created_at")
        Prediction.objects.create(
            case=row.pk,
            site=str(here.ehr_id),
            service_id=SERVICE,
            model_name="diabetes-risk",
            model_version=row.model_version,
            row={},
            probability=None,
            threshold=row.threshold,
            asked_at=row.created_at,
            label=label,
            labelled_at=timezone.now(),
        )


def complete(here: EnabledService, **changed: Any) -> None:
    """Enough for a scorecard: one alert in five."""
    a_day = -(-FEWEST_ASSESSMENTS // FEWEST_DAYS)
    for day in range(FEWEST_DAYS):
        assessed(here, *[HIGH if number % 5 == 0 else LOW for number in range(a_day)], days_ago=day, **changed)
