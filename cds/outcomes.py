"""Outcomes: finished assessments become rows for the statistics, and say what was true when earlier ones were asked.

Off the hook's path. Test patients, people who opted out and restricted charts stay out of both.
"""

from __future__ import annotations

import logging
import math
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from cds import audit, registry
from cds.context import PatientContext
from cds.finding import NotApplicable
from cds.models import Assessment
from cds.service import DecisionService, Truth
from scoring.models import ModelVersion, Prediction

logger = logging.getLogger(__name__)

BATCH = 500
LONGEST_LOOK_BACK = timedelta(days=730)  # a service's own window is shorter; older rows are not asked about again


def collect() -> int:
    """How many assessments were looked at. Stopped half-way, it goes on where it was."""
    fresh = Assessment.objects.filter(status=Assessment.Status.DONE, collected_at=None).order_by("finished_at")
    count = 0
    while batch := list(fresh.values_list("pk", flat=True)[:BATCH]):
        for pk in batch:
            collect_safely(str(pk))
        count += len(batch)
    if count:
        audit.record("collect", actor=audit.US, assessments=count)
    return count


def collect_safely(assessment_id: str) -> None:
    """One record that cannot be read must not keep all others waiting for ever."""
    try:
        collect_one(assessment_id)
    except Exception:  # the outermost edge of the work: whatever a plug-in or a lost key raises
        logger.exception("assessment %s stays out of the statistics", assessment_id)
        Assessment.objects.filter(pk=assessment_id).update(collected_at=timezone.now())


def collect_one(assessment_id: str) -> None:
    """Again changes nothing."""
    assessment = Assessment.objects.defer("snapshot", "result").select_related("ehr").get(pk=assessment_id)
    with transaction.atomic():
        if not left_out(assessment) and assessment.snapshot is not None:
            service, context = registry.get(assessment.service_id), assessment.context
            if not context.patient.restricted:
                _keep_row(assessment, service, context)
                _learn(assessment, service, context)
        Assessment.objects.filter(pk=assessment.pk).update(collected_at=timezone.now())


def left_out(assessment: Assessment) -> str:
    """Why it never counts, in one sentence; "" if it may."""
    if assessment.test:
        return "It is about an invented patient."
    if not assessment.model_version:
        return "This service has no model: rules alone decide."
    if assessment.ehr.opt_outs.filter(patient_key=assessment.patient_key).exists():
        return "The patient has opted out."
    return ""


def _keep_row(assessment: Assessment, service: DecisionService, context: PatientContext) -> None:
    row, outcome = service.row(context), assessment.outcome
    if row is None or service.model is None or outcome is None:
        return
    versions = ModelVersion.objects.filter(name=service.model, version=assessment.model_version)
    features = versions.values_list("facts__features", flat=True).get()
    estimate = None if isinstance(outcome, NotApplicable) else outcome.estimate
    Prediction.objects.get_or_create(
        case=assessment.pk,
        defaults={
            "site": site(assessment),
            "service_id": assessment.service_id,
            "model_name": service.model,
            "model_version": assessment.model_version,
            "row": {key: None if math.isnan(one) else one for key, one in zip(features, row, strict=True)},
            "probability": estimate.probability if estimate else None,
            "threshold": assessment.threshold,
            "asked_at": assessment.created_at,
        },
    )


def _learn(assessment: Assessment, service: DecisionService, context: PatientContext) -> None:
    """What this look at the record says about earlier questions on the same patient."""
    cases = Assessment.objects.filter(
        ehr=assessment.ehr, service_id=assessment.service_id, patient_key=assessment.patient_key
    )
    earlier = Prediction.objects.filter(
        site=site(assessment),
        case__in=cases.values("pk"),
        label=None,
        asked_at__range=(assessment.created_at - LONGEST_LOOK_BACK, assessment.created_at),
    )
    for one in earlier.exclude(case=assessment.pk):
        found = service.truth(context, since=one.asked_at.astimezone(assessment.ehr.zone))
        if found is not None:
            _label(one, found)


def _label(prediction: Prediction, found: Truth) -> None:
    prediction.label, prediction.labelled_at, prediction.known_by = found.label, found.at, found.known_by
    prediction.save(update_fields=["label", "labelled_at", "known_by"])


def site(assessment: Assessment) -> str:
    """The EHR, as scoring knows it."""
    return str(assessment.ehr_id)
