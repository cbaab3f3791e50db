"""The alerts that a service would raise at another threshold: counted from answers that are stored, nothing is scored again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from uuid import UUID

from django.utils import timezone
from msgspec import Struct

from cds import registry
from cds.finding import NotApplicable, Outcome
from cds.models import Assessment, EnabledService
from cds.service import DecisionService
from scoring.models import Prediction
from scoring.proportion import Share

MOST_READ = 10_000  # answers are decrypted one by one while somebody waits
THRESHOLDS = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5)


class Answered(Struct, frozen=True, kw_only=True):
    """One stored answer; the patient as a pseudonym. `truth`: what turned out later, None where nobody knows."""

    id: UUID
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
    a_day: float | None  # of those days on which anybody was assessed
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

    @property
    def days(self) -> int:
        return len({one.day for one in self.answers})

    def alerted(self, threshold: float) -> list[Answered]:
        return [one for one in self.answers if self.service.alerts_at(one.outcome, threshold)]

    def at(self, threshold: float) -> Alerts:
        alerted = self.alerted(threshold)
        known = [one.truth for one in alerted if one.truth is not None]
        return Alerts(
            threshold=threshold,
            alerts=len(alerted),
            a_day=len(alerted) / self.days if self.days else None,
            patients=Share(_people(alerted), _people(self.answers)),
            ppv=Share(sum(known), len(known)),
            found=Share(sum(known), sum(one.truth is True for one in self.answers)),
        )

    def table(self, *more: float) -> list[Alerts]:
        return [self.at(threshold) for threshold in sorted({*THRESHOLDS, *more})]


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
    newest = list(rows.defer("snapshot").order_by("-created_at")[:MOST_READ])
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


def _truths(here: EnabledService, rows: Sequence[Assessment]) -> dict[UUID, bool | None]:
    known = Prediction.objects.filter(site=str(here.ehr_id), service_id=here.service_id).exclude(label=None)
    ids = {row.pk for row in rows}
    return {case: label for case, label in known.values_list("case", "label") if case in ids}


def _people(answers: Iterable[Answered]) -> int:
    return len({one.patient for one in answers})
