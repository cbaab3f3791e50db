"""Who is shown which way: drawn by hash, the same at every door. Where no experiment runs, nothing is asked of the database."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import CharField, IntegerField

from cds.models import EnabledService, Enrolment, Experiment, Merge
from cds.prepared import Question
from cds.protocol import Arm
from cds.scorecard import in_force
from cds.service import DecisionService

_running = Question(
    lambda pk: Experiment.objects.filter(pk=pk, started_at__isnull=False, ended_at=None), pk=IntegerField()
)


_drawn = Question(
    lambda experiment, patient_key: (
        Enrolment.objects.filter(experiment=experiment, patient_key=patient_key)
        .exclude(arm="")
        .order_by("at", "pk")[:1]
    ),
    experiment=IntegerField(),
    patient_key=CharField(),
)


def in_arm(
    here: EnabledService, service: DecisionService, *, patient_key: str, user_key: str, places: Sequence[str]
) -> EnabledService:
    """How the service runs for this user and patient at these places, the narrowest first.

    Nobody is enrolled while it is not shown to everybody, or while what is in force is no longer what the protocol calls
    so: a rollback counts at once, for all.
    """
    for experiment in _running(pk=here.experiment_id) if here.experiment_id else ():
        protocol = experiment.protocol
        if (
            protocol.form == "shadow"
            or here.stage != EnabledService.Stage.LIVE
            or not stands(here, service, experiment)
        ):
            continue
        match protocol.unit:
            case "patient":
                unit_key = _record(experiment, patient_key)
            case "clinician":
                unit_key = user_key
            case "place":
                unit_key = next(filter(None, map(experiment.key_of, places)), "")
        drawn = experiment.arm_of(unit_key)
        here.arm = protocol.other if drawn == Enrolment.Arm.OTHER else protocol.standing
        here.enrolment = Enrolment(experiment=experiment, arm=drawn, unit_key=unit_key, patient_key=patient_key)
    return here


def _record(experiment: Experiment, patient_key: str) -> str:
    """The record by which this patient is drawn: their own, or one that was drawn before it was merged into theirs.

    Who was drawn stays so: where both were, the record that goes on counts.
    """
    if drawn := _drawn(experiment=experiment.pk, patient_key=patient_key):
        return drawn[0].unit_key
    if merged := Merge.into(experiment.ehr_id, patient_key):
        older = experiment.enrolments.filter(patient_key__in=merged).exclude(arm="").order_by("at", "pk").first()
        return older.unit_key if older else patient_key
    return patient_key


def stands(here: EnabledService, service: DecisionService, experiment: Experiment) -> bool:
    """Is what is in force still the standing arm?"""
    _, model, threshold = in_force(here)
    return experiment.protocol.standing == Arm(model_version=model, threshold=threshold)
