"""The alerts that a service would raise at another threshold: counted from answers or figures that are stored already.

Of whom: those who were asked about here lately, a finished population run, or the people on whom the model was measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone
from msgspec import Struct

from cds import registry
from cds.errors import BadInput
from cds.finding import Estimate, Finding, NotApplicable, NotEnoughData, Outcome
from cds.models import Assessment, EnabledService, PopulationResult, PopulationRun
from cds.service import DecisionService
from scoring import shelf
from scoring.curves import above
from scoring.errors import ScoringError
from scoring.headline import people as of_whom
from scoring.models import Prediction
from scoring.proportion import Share

MOST_READ = 10_000  # answers are decrypted one by one while somebody waits
MOST_SWEPT = 200_000  # results of a run, read as they are
THRESHOLDS = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5)


class Answered(Struct, frozen=True, kw_only=True):
    """One stored answer; the patient as a pseudonym. `truth`: what turned out later, None where nobody knows."""

    id: UUID | None  # of its assessment, where there is one
    patient: str
    day: date  # at the EHR
    outcome: Outcome
    truth: bool | None

    @property
    def percent(self) -> float | None:
        """The probability; None where the model was not asked or abstained."""
        estimate = None if isinstance(self.outcome, NotApplicable) else self.outcome.estimate
        return 100 * estimate.probability if estimate else None


class Alerts(Struct, frozen=True, kw_only=True):
    """What one threshold would do to these people."""

    threshold: float
    alerts: int
    a_day: float | None  # of those days on which anybody was assessed, or at so many patients a day
    patients: Share  # alerted on at least once
    ppv: Share  # of the alerts whose truth is known
    found: Share  # of those known to have it

    @property
    def percent(self) -> float:
        return 100 * self.threshold


class Population(Struct, frozen=True, kw_only=True):
    service: DecisionService
    answers: tuple[Answered, ...]  # newest first
    more: int  # older answers that were not read
    a_day: float | None = None  # patients, where all were asked about at once

    @property
    def somebody(self) -> bool:
        return bool(self.answers)

    @property
    def days(self) -> int:
        return len({one.day for one in self.answers})

    def alerted(self, threshold: float) -> list[Answered]:
        return [one for one in self.answers if self.service.alerts_at(one.outcome, threshold)]

    def at(self, threshold: float) -> Alerts:
        alerted = self.alerted(threshold)
        share = len(alerted) / len(self.answers) if self.answers else 0
        by_day = len(alerted) / self.days if self.days else None
        known = [one.truth for one in alerted if one.truth is not None]
        return Alerts(
            threshold=threshold,
            alerts=len(alerted),
            a_day=by_day if self.a_day is None else share * self.a_day,
            patients=Share(_people(alerted), _people(self.answers)),
            ppv=Share(sum(known), len(known)),
            found=Share(sum(known), sum(one.truth is True for one in self.answers)),
        )

    def table(self, *more: float) -> list[Alerts]:
        return [self.at(threshold) for threshold in sorted({*THRESHOLDS, *more})]


class Validation(Struct, frozen=True, kw_only=True):
    """The people on whom the version in use was measured: numbers only, so nobody is listed. Rules do not speak here."""

    version: str
    whom: str
    histogram: dict[str, list[float]]
    a_day: float  # patients

    @property
    def somebody(self) -> bool:
        return bool(sum(self.histogram["with"]) + sum(self.histogram["without"]))

    def alerted(self, threshold: float) -> list[Answered]:
        return []

    def at(self, threshold: float) -> Alerts:
        ill, well = sum(map(int, self.histogram["with"])), sum(map(int, self.histogram["without"]))
        right, wrong = above(self.histogram, threshold)
        return Alerts(
            threshold=threshold,
            alerts=right + wrong,
            a_day=self.a_day * (right + wrong) / (ill + well) if ill + well else None,
            patients=Share(right + wrong, ill + well),
            ppv=Share(right, right + wrong),
            found=Share(right, ill),
        )

    def table(self, *more: float) -> list[Alerts]:
        return [self.at(threshold) for threshold in sorted({*THRESHOLDS, *more})]


def validation(here: EnabledService, *, a_day: float) -> Validation:
    """Raises BadInput where the version in use holds no such figures."""
    service = registry.get(here.service_id)
    try:
        facts = shelf.active_facts(service.model) if service.model else {}
    except ScoringError as error:
        raise BadInput("No version of the model is in use.") from error
    if "score_histogram" not in facts.get("curves", {}):
        raise BadInput("What was measured of the version in use does not say how its answers are spread.")
    return Validation(
        version=facts["version"],
        whom=of_whom(facts.get("validated_on", {})),
        histogram=facts["curves"]["score_histogram"],
        a_day=a_day,
    )


def runs(here: EnabledService) -> QuerySet[PopulationRun]:
    """Finished sweeps of this service over this EHR's patients, or over a folder that is no EHR's; the newest first."""
    done = PopulationRun.objects.filter(service_id=here.service_id, state=PopulationRun.State.DONE)
    return done.filter(Q(ehr=here.ehr) | Q(ehr=None)).order_by("-created_at")


def swept(here: EnabledService, run: PopulationRun, *, a_day: float) -> Population:
    """Everybody of a run to whom an answer was given, once each."""
    rows = run.results.exclude(outcome=PopulationResult.Outcome.FAILED).order_by("pk")
    labels: dict[UUID, bool | None] = dict(
        Prediction.objects.filter(case__in=rows.values("assessment")).exclude(label=None).values_list("case", "label")
    )
    answers = tuple(
        Answered(
            id=row.assessment_id,
            patient=row.pseudonym,
            day=run.as_of.astimezone(here.ehr.zone).date(),
            outcome=_answer_in(row, run),
            truth=labels.get(row.assessment_id) if row.assessment_id else None,
        )
        for row in rows[:MOST_SWEPT].iterator()
    )
    return Population(
        service=registry.get(here.service_id), answers=answers, more=rows.count() - len(answers), a_day=a_day
    )


def _answer_in(row: PopulationResult, run: PopulationRun) -> Outcome:
    """As much of it as decides on an alert: which rule spoke, and the probability."""
    if row.outcome == PopulationResult.Outcome.NOT_APPLICABLE:
        return NotApplicable(rule=row.reason)
    estimate = None
    if row.probability is not None:
        estimate = Estimate(
            probability=row.probability,
            margin=0.0,
            base=0.0,
            factors=(),
            threshold=run.threshold,
            model=run.model_name,
            version=run.model_version,
        )
    if row.outcome == PopulationResult.Outcome.NOT_ENOUGH_DATA:
        return NotEnoughData(rule=row.reason, missing=(), alert=row.alerts, estimate=estimate)
    return Finding(rule=row.reason, alert=row.alerts, estimate=estimate)


def population(here: EnabledService, *, days: int) -> Population:
    """Everybody of whom the service was asked here in so many days, test patients left out."""
    rows = Assessment.objects.filter(
        ehr=here.ehr,
        service_id=here.service_id,
        status=Assessment.Status.DONE,
        test=False,
        shadow_of=None,
        created_at__gt=timezone.now() - timedelta(days=days),
    )
    newest = rows.defer("snapshot").order_by("-created_at")[:MOST_READ]
    truths = _truths(here, newest)
    answers = tuple(
        Answered(
            id=row.pk,
            patient=row.patient_key,
            day=row.created_at.astimezone(here.ehr.zone).date(),
            outcome=outcome,
            truth=truths.get(row.pk),
        )
        for row in newest
        if (outcome := row.outcome) is not None
    )
    return Population(service=registry.get(here.service_id), answers=answers, more=rows.count() - len(newest))


def _truths(here: EnabledService, rows: QuerySet[Assessment]) -> dict[UUID, bool | None]:
    known = Prediction.objects.filter(site=str(here.ehr_id), service_id=here.service_id).exclude(label=None)
    return dict(known.filter(case__in=rows.values("pk")).values_list("case", "label"))


def _people(answers: Iterable[Answered]) -> int:
    return len({one.patient for one in answers})
