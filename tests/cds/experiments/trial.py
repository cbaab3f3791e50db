"""Experiments at St. Elsewhere: asked for by Ina, approved by Ann, with patients of whom only the answers are known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from django.utils import timezone

from cds.approval import Person
from cds.experiments import steer
from cds.finding import Outcome
from cds.models import Assessment, Ehr, EnabledService, Enrolment, Experiment
from cds.protocol import Arm, Protocol
from cds.scorecard import in_force
from scoring import shelf
from tests.cds.assessed import HIGH, SERVICE

INA = Person(name="Ina", key="1")
ANN = Person(name="Ann", key="2", approves=True)
WHY = "The board has asked"


def elsewhere() -> EnabledService:
    shelf.forget()
    ehr = Ehr.objects.create(name="St. Elsewhere", fhir_base="https://e.example/fhir", environment="production")
    return EnabledService.objects.create(ehr=ehr, service_id=SERVICE, stage="live")


def plan(here: EnabledService, **changed: Any) -> Protocol:
    """Shown or withheld, half of the patients each, unless something else is said."""
    _, model, threshold = in_force(here)
    standing = Arm(model_version=model, threshold=threshold)
    form = changed.get("form", "withheld")
    usual: dict[str, Any] = {
        "question": "Does the card lead to more tests?",
        "form": "withheld",
        "standing": standing,
        "other": Arm(model_version=model, threshold=threshold if form == "withheld" else 0.2, shown=form != "withheld"),
        "metric": "tested",
        "days": 30,
        "baseline": 0.4,
        "difference": -0.2,
    }
    return Protocol(**usual | changed)


def approved(here: EnabledService, **changed: Any) -> Experiment:
    asked = steer.ask(here, plan(here, **changed), by=INA, why=WHY)
    if asked.verdict == "waiting":
        steer.approve(asked, by=ANN, why="I agree", exception="Seen at another hospital")
    return Experiment.objects.get(pk=asked.pk)


def running(here: EnabledService, **changed: Any) -> Experiment:
    experiment = approved(here, **changed)
    steer.start(experiment, by=INA, why=WHY)
    here.refresh_from_db()
    return Experiment.objects.get(pk=experiment.pk)


def met(
    experiment: Experiment,
    patient: str,
    *,
    arm: str,
    unit: str = "",
    days: float = 40,
    outcome: Outcome = HIGH,
    **more: Any,
) -> Enrolment:
    """A patient who was asked about so many days ago."""
    at = timezone.now() - timedelta(days=days)
    case = Assessment.objects.create(
        ehr=experiment.ehr,
        service_id=experiment.service_id,
        service_version="1",
        model_version=experiment.protocol.standing.model_version,
        threshold=0.1,
        fingerprint=f"{patient} {Assessment.objects.count()}",
        patient_key=patient,
        status="done",
        result=msgspec.json.encode(outcome),
        created_at=at,
        finished_at=at,
        **more,
    )
    return Enrolment.objects.create(
        experiment=experiment,
        arm=arm,
        unit_key=(unit or patient) if arm else "",
        patient_key=patient,
        assessment=case,
        at=at,
    )
