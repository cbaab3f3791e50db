"""Whose answer a later run has replaced: of each person the newest of the service at the EHR counts, and nobody is called twice.

What an outside system sent is not the EHR's word, and a record that could not be answered replaces no answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q, QuerySet

from cds.models import PopulationResult, PopulationRun


def later(run: PopulationRun) -> QuerySet[PopulationResult]:
    """What runs said that judged the record as of a later moment, or of the same one and were asked for later.

    In a folder of no EHR all are strangers.
    """
    if run.ehr_id is None:
        return PopulationResult.objects.none()
    newer = Q(as_of__gt=run.as_of) | Q(as_of=run.as_of, created_at__gt=run.created_at)
    runs = PopulationRun.objects.filter(newer, ehr=run.ehr_id, service_id=run.service_id, client="")
    found = list(runs.values_list("pk", flat=True))
    return PopulationResult.objects.filter(run__in=found).exclude(outcome=PopulationResult.Outcome.FAILED)


def overtaken(run: PopulationRun) -> Exists:
    """Of a row of this run: has a later one an answer about the same person?"""
    return Exists(later(run).filter(pseudonym=OuterRef("pseudonym")))


def newest(rows: Iterable[PopulationResult], run: PopulationRun) -> dict[str, PopulationResult]:
    """By pseudonym, of those of these rows that are overtaken, the answer that counts."""
    found = later(run).filter(pseudonym__in=[row.pseudonym for row in rows]).select_related("run")
    return {row.pseudonym: row for row in found.order_by("run__as_of", "run__created_at")}
