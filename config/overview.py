"""The administrator's first page: is every EHR reachable, does every service answer in time, did one stop, what waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Count, Max, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from cds import registry
from cds.models import (
    Assessment,
    Change,
    ConnectionTest,
    Ehr,
    EnabledService,
    Experiment,
    Feedback,
    ModelChange,
    PopulationRun,
    SettingsChange,
    StageChange,
    Subscription,
    WriteBack,
)
from cds.notified.silence import silent
from hooks.models import HookCall
from scoring.models import DriftReport, ModelVersion

AIM_MILLISECONDS = 500  # CDS Hooks 2.0.1, "Providing FHIR Resources": an answer in about 500 ms
# With seven calls a day, a day without any happens by chance less than once in a thousand days (Poisson).
_USUAL_CALLS_A_DAY = 7
_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Reach:
    """One active EHR and the last attempt to reach it."""

    ehr: Ehr
    last: ConnectionTest | None
    last_call: datetime | None


@dataclass(frozen=True, kw_only=True)
class Firing:
    """One service at one EHR, on the EHR's own day."""

    ehr: Ehr
    service_id: str
    title: str
    stage: str
    why_off: str
    calls: int
    errors: int
    median: float | None
    slow: float | None
    usual: float
    stopped: bool

    @property
    def late(self) -> bool:
        return self.slow is not None and self.slow > AIM_MILLISECONDS


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Something that a person should look at, and where."""

    what: str
    count: int
    url: str


def reached() -> list[Reach]:
    last_calls = dict(HookCall.objects.values_list("ehr").annotate(Max("received_at")))
    return [
        Reach(ehr=ehr, last=ehr.connection_tests.order_by("-tested_at").first(), last_call=last_calls.get(ehr.pk))
        for ehr in Ehr.objects.filter(active=True).order_by("name")
    ]


def firing() -> list[Firing]:
    """Every service at every active EHR."""
    rows = {(row.ehr_id, row.service_id): row for row in EnabledService.objects.all()}
    return [
        _firing(ehr, rows.get((ehr.pk, service.id)) or EnabledService(ehr=ehr, service_id=service.id), service.title)
        for ehr in Ehr.objects.filter(active=True).order_by("name")
        for service in registry.all_services()
    ]


def _firing(ehr: Ehr, row: EnabledService, title: str) -> Firing:
    now = ehr.now()
    calls = counted(ehr).filter(service_id=row.service_id)
    today = calls.filter(received_at__gte=now.replace(hour=0, minute=0, second=0, microsecond=0))
    before = calls.filter(received_at__range=(now - _DAY - _WEEK, now - _DAY)).count() / _WEEK.days
    silent = not calls.filter(received_at__gt=now - _DAY).exists()
    return Firing(
        ehr=ehr,
        service_id=row.service_id,
        title=title,
        stage=row.stage,
        why_off=f"{row.off_by}: {row.off_reason}" if row.off_reason else "",
        **today.aggregate(calls=Count("pk"), errors=Count("pk", filter=Q(status__gte=400))),
        median=_quantile(today, 0.5),
        slow=_quantile(today, 0.95),
        usual=before,
        stopped=silent and before >= _USUAL_CALLS_A_DAY,
    )


def counted(ehr: Ehr) -> QuerySet[HookCall]:
    """Calls about people; at a test EHR, where all are invented, every call."""
    calls = HookCall.objects.filter(ehr=ehr)
    return calls if ehr.is_test else calls.filter(test=False)


def _quantile(calls: QuerySet[HookCall], fraction: float) -> float | None:
    """The nearest rank, found by the database: a day may have more calls than fit in a page."""
    count = calls.count()
    if not count:
        return None
    rank = min(count - 1, int(count * fraction))
    return calls.order_by("milliseconds").values_list("milliseconds", flat=True)[rank]


def waiting() -> list[Waiting]:
    """Links lead to the filtered list."""
    write_backs = WriteBack.objects.filter(assessment__test=False)
    failed = Assessment.objects.filter(
        status__in=[Assessment.Status.FAILED, Assessment.Status.EXPIRED],
        test=False,
        queued_at__gt=timezone.now() - _WEEK,
    )
    return [
        *_to_decide(),
        Waiting(
            what="Alarms about models",
            count=DriftReport.objects.filter(waiting=True).count(),
            url=_list("scoring_driftreport", waiting__exact="1"),
        ),
        *(
            Waiting(
                what=what,
                count=write_backs.filter(status=status).count(),
                url=_list("cds_writeback", status__exact=status),
            )
            for what, status in _WRITE_BACKS.items()
        ),
        Waiting(
            what="Assessments that failed or expired this week",
            count=failed.count(),
            url=_list("cds_assessment", status__in="failed,expired", test__exact="0"),
        ),
        Waiting(
            what="Population runs that an error has stopped",
            count=PopulationRun.objects.filter(state=PopulationRun.State.FAILED).count(),
            url=_list("cds_populationrun", state__exact=PopulationRun.State.FAILED),
        ),
        Waiting(
            what="EHRs that should tell of new results and are silent or in error",
            count=_unheard(),
            url=_list("cds_subscription"),
        ),
        *_to_review(),
    ]


def _unheard() -> int:
    rows = Subscription.objects.filter(ehr__active=True)
    return sum(row.state in {Subscription.State.ERROR, Subscription.State.OFF} or silent(row) for row in rows)


def _to_review() -> list[Waiting]:
    unread = Feedback.objects.filter(reviewed_at=None)
    overrides = unread.filter(outcome=Feedback.Outcome.OVERRIDDEN).exclude(card__assessment__test=True)
    wrong = unread.filter(outcome=Feedback.Outcome.WRONG).exclude(assessment__test=True)
    return [
        Waiting(
            what="Reports that an answer looks wrong",
            count=wrong.count(),
            url=_list("cds_feedback", outcome__exact="wrong", reviewed_at__isempty="1"),
        ),
        Waiting(
            what="Overrides to review",
            count=overrides.count(),
            url=_list("cds_feedback", outcome__exact="overridden", reviewed_at__isempty="1"),
        ),
    ]


def _to_decide() -> list[Waiting]:
    """What two people have to agree on. A draft counts until it is asked for or put aside."""
    stages = StageChange.objects.filter(verdict=Change.Verdict.WAITING)
    models = ModelChange.objects.filter(verdict=Change.Verdict.WAITING)
    drafts = ModelVersion.objects.filter(status=ModelVersion.Status.DRAFT).exclude(changes__in=models)
    return [
        Waiting(
            what="Stages to decide on", count=stages.count(), url=_list("cds_stagechange", verdict__exact="waiting")
        ),
        Waiting(
            what="Settings to decide on",
            count=SettingsChange.objects.filter(verdict=Change.Verdict.WAITING).count(),
            url=_list("cds_settingschange", verdict__exact="waiting"),
        ),
        Waiting(
            what="Model versions to decide on",
            count=models.count(),
            url=_list("cds_modelchange", verdict__exact="waiting"),
        ),
        Waiting(
            what="Experiments to decide on",
            count=Experiment.objects.filter(verdict=Change.Verdict.WAITING).count(),
            url=_list("cds_experiment", verdict__exact="waiting"),
        ),
        Waiting(
            what="Drafts of models that nobody has asked for",
            count=drafts.count(),
            url=_list("scoring_modelversion", status__exact="draft"),
        ),
    ]


_WRITE_BACKS = {
    "Failed write-backs": WriteBack.Status.FAILED,
    "Write-backs that wait for a clinician to press again": WriteBack.Status.WAITING,
}


def _list(model: str, **filters: str) -> str:
    return f"{reverse(f'admin:{model}_changelist')}?{urlencode(filters)}".rstrip("?")
