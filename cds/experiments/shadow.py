"""Shadow: what was just answered in the way in force is asked once more in the other way, and shown to nobody."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from cds import registry
from cds.assess import fingerprint, ticket
from cds.experiments.arms import stands
from cds.models import Assessment, EnabledService, Enrolment, Experiment
from cds.prepared import Question, insert_unless_there

Status = Assessment.Status
_running = Question(lambda: EnabledService.objects.filter(experiment__written__form="shadow"))


def twins(answered: Iterable[str]) -> list[str]:
    """The ids of assessments that are still to be answered. Test patients and restricted charts have no twin."""
    return [
        twin
        for here in _running()
        for twin in _twins_of(here, Assessment.objects.filter(pk__in=list(answered), shadow_of=None, enrolments=None))
    ]


def _twins_of(here: EnabledService, answered: Iterable[Assessment]) -> list[str]:
    experiment = here.experiment
    if experiment is None or not stands(here, registry.get(here.service_id), experiment):
        return []
    standing = experiment.protocol.standing
    rows = Assessment.objects.filter(
        pk__in=[row.pk for row in answered],
        ehr=here.ehr,
        service_id=here.service_id,
        status=Status.DONE,
        test=False,
        model_version=standing.model_version,
        threshold=standing.threshold,
        snapshot__isnull=False,
    )
    return [found for row in rows.select_related("ehr") if (found := _twin(row, experiment))]


@transaction.atomic
def _twin(row: Assessment, experiment: Experiment) -> str:
    """ "" where there is none, or where it has been answered before."""
    context, service, arm = row.context, registry.get(row.service_id), experiment.protocol.other
    version, threshold = arm.model_version, arm.threshold
    if context.patient.restricted:
        return ""
    key = fingerprint(service, context, model_version=version, threshold=threshold)
    twin = ticket(row.ehr, service, context, model_version=version, threshold=threshold, key=key)
    if not insert_unless_there(twin):
        return ""
    Enrolment.objects.create(
        experiment=experiment,
        arm=Enrolment.Arm.STANDING,
        unit_key=row.patient_key,
        patient_key=row.patient_key,
        assessment=row,
        twin=twin,
    )
    return str(twin.pk)
