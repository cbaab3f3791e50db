"""The prospective scorecard: what a service has done so far at an EHR, exactly as it would be shown there.

It counts the assessments of the service's version, the model's version and the threshold that are in force now, from
silent mode or later: what an earlier version did is no evidence for this one.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from django.db.models import Max, Min, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone
from msgspec import Struct

from cds import registry
from cds.finding import NotApplicable
from cds.models import Assessment, EnabledService
from cds.service import DecisionService
from scoring import shelf
from scoring.errors import ModelMissing
from scoring.models import Prediction
from scoring.proportion import Share

LOOKS_BACK = timedelta(days=90)
MOST_READ = 10_000  # answers are decrypted one by one while somebody waits for the page
# Two weeks hold each weekday twice. Among 300 a failure that strikes one in 100 is seen with a probability of 95 % (the
# rule of three: Hanley, Lippman-Hand, JAMA 1983;249:1743), and an alert rate of 10 in 100 is known to 3.5 in 100.
FEWEST_DAYS = 14
FEWEST_ASSESSMENTS = 300
Status = Assessment.Status


class Version(NamedTuple):
    """What exactly is in force, or would be."""

    service: str
    model: str  # "" for a service without one
    threshold: float


class Scorecard(Struct, frozen=True, kw_only=True):
    """What is inside the answers (alerts, rules, missing inputs, patients) is counted over the newest, `read`."""

    version: Version
    first: datetime | None
    last: datetime | None
    days: int  # on which somebody was assessed, in the EHR's zone
    assessed: int
    failed: int
    p95_milliseconds: float | None  # from question to answer
    read: int
    patients: int
    alerts: int
    applicable: int
    rules: dict[str, int]  # which rule spoke -> how often, the most frequent first
    missing: dict[str, int]  # which input was not there -> how often, where the question applied
    known: int = 0  # of how many answers the truth is known by now
    alerted_known: int = 0
    alerted_right: int = 0
    cases_known: int = 0
    model_missing: bool = False

    @property
    def alert_share(self) -> Share:
        return Share(self.alerts, self.read)

    @property
    def failure_share(self) -> Share:
        return Share(self.failed, self.failed + self.assessed)

    @property
    def ppv(self) -> Share:
        """Of the alerts whose truth is known; who has a high probability is tested more."""
        return Share(self.alerted_right, self.alerted_known)

    @property
    def sensitivity(self) -> Share:
        """Of those known to have it, who are more of the tested than of the others."""
        return Share(self.alerted_right, self.cases_known)

    @property
    def alerts_a_day(self) -> float | None:
        """On a day with assessments; those that were not read are taken to be like the others."""
        return self.alerts / self.read * self.assessed / self.days if self.read else None

    @property
    def lacking(self) -> list[str]:
        """Why this is not enough to show the service to anybody; [] if it is."""
        said = ["no version of the model is in use"] if self.model_missing else []
        if self.days < FEWEST_DAYS:
            said.append(f"{self.days} of at least {FEWEST_DAYS} days with assessments")
        if self.assessed < FEWEST_ASSESSMENTS:
            said.append(f"{self.assessed} of at least {FEWEST_ASSESSMENTS} assessments")
        return said

    def as_json(self) -> dict[str, Any]:
        kept: dict[str, Any] = msgspec.to_builtins(self)
        return kept


def scorecard(here: EnabledService) -> Scorecard:
    """Of what is in force at this EHR now. Raises UnknownService where the service is not installed."""
    try:
        return scorecard_of(here, in_force(here))
    except ModelMissing:
        return msgspec.structs.replace(scorecard_of(here, Version("", "", 0.0)), model_missing=True)


def in_force(here: EnabledService, *, model_version: str | None = None) -> Version:
    """`model_version`: another one than that in use."""
    service = registry.get(here.service_id)
    threshold = service.threshold if here.threshold is None else here.threshold
    return Version(service.version, _model(service) if model_version is None else model_version, threshold)


def _model(service: DecisionService) -> str:
    return shelf.active_version(service.model) if service.model else ""


def scorecard_of(here: EnabledService, version: Version) -> Scorecard:
    rows = Assessment.objects.filter(
        ehr=here.ehr,
        service_id=here.service_id,
        service_version=version.service,
        model_version=version.model,
        threshold=version.threshold,
        test=False,
        created_at__gt=timezone.now() - LOOKS_BACK,
    )
    done = rows.filter(status=Status.DONE)
    days = done.annotate(day=TruncDate("created_at", tzinfo=here.ehr.zone)).values("day").distinct()
    return Scorecard(
        version=version,
        **done.aggregate(first=Min("created_at"), last=Max("created_at")),
        days=days.count(),
        assessed=done.count(),
        failed=rows.filter(status__in=[Status.FAILED, Status.EXPIRED]).count(),
        **_inside(done.order_by("-created_at")[:MOST_READ]),
    )


def _inside(done: QuerySet[Assessment]) -> dict[str, Any]:
    rules: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    patients, milliseconds, alerts, applicable = set(), [], 0, 0
    truths = dict(
        Prediction.objects.exclude(label=None).filter(case__in=done.values("pk")).values_list("case", "label")
    )
    told: list[tuple[bool, bool]] = []
    for row in done.defer("snapshot").iterator():
        outcome, finished = row.outcome, row.finished_at
        if outcome is None or finished is None:
            continue
        rules[outcome.rule] += 1
        patients.add(row.patient_key)
        milliseconds.append((finished - row.created_at).total_seconds() * 1000)
        if row.pk in truths:
            told.append((getattr(outcome, "alert", False), bool(truths[row.pk])))
        if not isinstance(outcome, NotApplicable):
            applicable += 1
            alerts += outcome.alert
            missing.update(one.label for one in outcome.missing)
    return {
        "read": len(milliseconds),
        "patients": len(patients),
        "alerts": alerts,
        "applicable": applicable,
        "rules": dict(rules.most_common()),
        "missing": dict(missing.most_common()),
        "known": len(told),
        "alerted_known": sum(alert for alert, _ in told),
        "alerted_right": sum(alert and truth for alert, truth in told),
        "cases_known": sum(truth for _, truth in told),
        "p95_milliseconds": sorted(milliseconds)[int(0.95 * len(milliseconds))] if milliseconds else None,
    }
