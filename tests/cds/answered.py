"""Answers as they pile up in a hospital: real contexts, assessed by the real service, at times of the test's choosing."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

from cds import assess, registry
from cds.context import PatientContext
from cds.models import Assessment, Ehr
from cds.services.diabetes.tests.charts import NOW, chart
from scoring import shelf

SERVICE = "diabetes-risk"
_numbers = count()


def answered(ehr: Ehr, *facts: Any, days: int = 0, **more: Any) -> Assessment:
    """Finished `days` after `charts.NOW`; without facts it is about a person of whom nothing is known."""
    return of(ehr, chart(*facts, **more), days=days)


def of(ehr: Ehr, context: PatientContext, *, days: int = 0) -> Assessment:
    service = registry.get(SERVICE)
    at = NOW + timedelta(days=days)
    assessment = Assessment.objects.create(
        ehr=ehr,
        service_id=service.id,
        service_version=service.version,
        model_version=shelf.active_version(service.model or ""),
        threshold=service.threshold,
        fingerprint=f"made up {next(_numbers)}",
        patient_key=ehr.pseudonym(context.patient.id),
        snapshot=context.as_json(),
        test=ehr.is_invented(context.patient.id),
    )
    assess.assess(str(assessment.pk))  # which leaves alone what is a day old, so it is dated afterwards
    Assessment.objects.filter(pk=assessment.pk).update(created_at=at, queued_at=at, finished_at=at)
    assessment.refresh_from_db()
    return assessment


def production(ehr: Ehr) -> Ehr:
    """A hospital in which patients are cared for: its answers count."""
    ehr.environment, ehr.time_zone = Ehr.Environment.PRODUCTION, "Pacific/Auckland"
    ehr.save()
    return ehr
