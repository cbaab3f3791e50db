"""Who is shown which way: drawn by hash, the same at every door. Where no experiment runs, nothing is asked of the database."""

from __future__ import annotations

from django.db.models import IntegerField

from cds.models import EnabledService, Enrolment, Experiment
from cds.prepared import Question
from cds.protocol import Arm
from cds.scorecard import in_force
from cds.service import DecisionService

_running = Question(
    lambda pk: Experiment.objects.filter(pk=pk, started_at__isnull=False, ended_at=None), pk=IntegerField()
)


def in_arm(here: EnabledService, service: DecisionService, *, patient_key: str, user_key: str) -> EnabledService:
    """How the service runs for this user and patient. Nobody is enrolled while it is not shown to everybody, or while
    what is in force is no longer what the protocol calls so: a rollback counts at once, for all."""
    for experiment in _running(pk=here.experiment_id) if here.experiment_id else ():
        protocol = experiment.protocol
        if (
            protocol.form == "shadow"
            or here.stage != EnabledService.Stage.LIVE
            or not stands(here, service, experiment)
        ):
            continue
        unit_key = patient_key if protocol.unit == "patient" else user_key
        drawn = experiment.arm_of(unit_key)
        here.arm = protocol.other if drawn == Enrolment.Arm.OTHER else protocol.standing
        here.enrolment = Enrolment(experiment=experiment, arm=drawn, unit_key=unit_key, patient_key=patient_key)
    return here


def stands(here: EnabledService, service: DecisionService, experiment: Experiment) -> bool:
    """Is what is in force still the standing arm?"""
    _, model, threshold = in_force(here)
    return experiment.protocol.standing == Arm(model_version=model, threshold=threshold)
