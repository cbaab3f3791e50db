"""Watch every model at every EHR: the rows of `cds.outcomes` in, a `DriftReport` out, with alarms that ring once."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import datetime, timedelta

import numpy as np
from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from cds.models import Assessment, Ehr
from scoring import drift, watch
from scoring.models import DriftReport, ModelVersion, Prediction
from scoring.outcomes import Asked

logger = logging.getLogger(__name__)

WINDOW = timedelta(days=28)  # four weeks hold each weekday equally often
FIRST_DAYS = timedelta(days=30)
MOST = 20_000  # rows of one look, the newest


def watch_all() -> list[DriftReport]:
    """Each version that was asked lately, at each active EHR."""
    since = timezone.now() - WINDOW
    asked = Prediction.objects.filter(
        asked_at__gte=since, site__in=[str(ehr.pk) for ehr in Ehr.objects.filter(active=True)]
    )
    keys = (
        asked.order_by("site", "service_id").values_list("site", "service_id", "model_name", "model_version").distinct()
    )
    return [_report(*key, since=since) for key in keys]


def _report(site: str, service_id: str, name: str, version: str, *, since: datetime) -> DriftReport:
    rows = Prediction.objects.filter(site=site, service_id=service_id, model_name=name, model_version=version)
    facts = ModelVersion.objects.values_list("facts", flat=True).get(name=name, version=version)
    features = tuple(facts["features"])
    recent = people(rows.filter(asked_at__gte=since), features)
    newest = rows.order_by("-asked_at").values_list("threshold", flat=True).first() or 0.0
    findings, alarms = watch.look(
        recent, people(rows, features), facts=facts, own=_own(rows, features, since=since), threshold=newest
    )
    return _keep(
        DriftReport(
            site=site,
            service_id=service_id,
            model_name=name,
            model_version=version,
            since=since,
            people=len(recent),
            findings=findings,
            alarms=[asdict(alarm) for alarm in alarms],
        )
    )


def people(rows: QuerySet[Prediction], features: tuple[str, ...]) -> Asked:
    """One row a person: the newest whose truth is known, else the newest. Newest first."""
    found = list(rows.order_by("-asked_at")[:MOST])
    keys = dict(Assessment.objects.filter(pk__in=rows.values("case")).values_list("pk", "patient_key"))
    chosen: dict[str, Prediction] = {}
    for row in found:
        person = keys.get(row.case, str(row.case))
        if person not in chosen or (chosen[person].label is None and row.label is not None):
            chosen[person] = row
    kept = sorted(chosen.values(), key=lambda row: row.asked_at, reverse=True)
    return Asked(
        features=features,
        rows=np.array([[_number(row.row.get(key)) for key in features] for row in kept]).reshape(
            len(kept), len(features)
        ),
        probability=np.array([_number(row.probability) for row in kept], dtype=np.float64),
        label=np.array([_number(row.label) for row in kept], dtype=np.float64),
        period=np.array([f"{row.asked_at:%Y-%m}" for row in kept], dtype=np.str_),
    )


def _number(value: float | bool | None) -> float:
    return np.nan if value is None else float(value)


def _own(rows: QuerySet[Prediction], features: tuple[str, ...], *, since: datetime) -> drift.Reference | None:
    """The first 30 days here, once they lie wholly before what is looked at and hold enough people."""
    first = rows.aggregate(first=Min("asked_at"))["first"]
    if first is None or first + FIRST_DAYS > since:
        return None
    early = people(rows.filter(asked_at__lt=first + FIRST_DAYS), features)
    if len(early) < drift.FEWEST:
        return None
    return drift.reference(np.column_stack([early.rows, early.probability]), (*features, drift.PROBABILITY))


def _keep(report: DriftReport) -> DriftReport:
    """It waits for somebody if it holds an alarm that nobody has seen yet; the reports before it wait no more."""
    same = DriftReport.objects.filter(
        site=report.site, service_id=report.service_id, model_version=report.model_version
    )
    seen = same.exclude(seen_at=None).order_by("-made_at").first()
    known = {alarm["key"] for alarm in seen.alarms} if seen else set()
    fresh = [alarm for alarm in report.alarms if alarm["key"] not in known]
    report.waiting = bool(fresh)
    with transaction.atomic():
        same.filter(waiting=True).update(waiting=False)
        report.save()
    for alarm in fresh:
        logger.warning("%s %s at EHR %s: %s", report.model_name, report.model_version, report.site, alarm["text"])
    return report
