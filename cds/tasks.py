"""What workers do. Each task is an id, a verb and a retry rule; running one twice changes nothing."""

from __future__ import annotations

import logging
from contextlib import closing, suppress
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import heartbeat_sent, worker_init
from django.utils import timezone
from kombu.exceptions import OperationalError as QueueDown

from cds import assess as verb
from cds import (
    chain,
    decoders,
    doorbell,
    experiments,
    merges,
    notified,
    outcomes,
    population,
    renewal,
    retention,
    review,
    watch,
    writeback,
)
from cds.models import Assessment, Ehr, PopulationRun
from cds.onboarding import try_connection
from cds.registry import all_services
from scoring import shelf
from scoring.errors import ScoringError

logger = logging.getLogger(__name__)

OVERLOOKED_WITHIN = timedelta(minutes=10)
WAITED_FOR = 5.0  # seconds that a worker waits for an EHR

__all__ = [
    "QueueDown",
    "assess",
    "collect_outcomes",
    "expire_batches",
    "follow",
    "follow_merges",
    "follow_up",
    "keep_listening",
    "look_for_merges",
    "look_for_merges_at",
    "pick_up_lost",
    "prepare_review",
    "prepare_reviews",
    "purge_expired",
    "reach_ehrs",
    "renew_models",
    "rescore",
    "review_bell",
    "seal_audit",
    "sweep",
    "sweep_on",
    "warm_up",
    "watch_models",
]


@shared_task
def assess(assessment_id: str) -> None:
    """Score a queued assessment and those that wait with it, until nothing waits, and ring for each."""
    doorbell.answered()
    while answered := verb.assess(assessment_id):
        writeback.automatic(Assessment.objects.filter(pk__in=answered))
        doorbell.ring(*answered)  # last: who hears it may look at all that the answer led to
        for twin in experiments.twins(answered):  # nobody waits for these
            assess.delay(twin)
        if len(answered) < verb.AT_ONCE:
            break


@shared_task
def pick_up_lost() -> None:
    """Queue again what a lost message or a killed worker left behind; expire what is too old to be news."""
    for assessment_id in verb.lost()[:: verb.AT_ONCE]:
        assess.delay(assessment_id)


@shared_task
def send_write_backs() -> None:
    """One message for each write-back that is due, so that a slow EHR keeps no other waiting.

    What a worker that was killed has answered and not queued is queued first.
    """
    writeback.automatic(Assessment.objects.filter(finished_at__gt=timezone.now() - OVERLOOKED_WITHIN))
    for row_id in writeback.due():
        send_write_back.delay(row_id)


@shared_task
def send_write_back(row_id: int) -> None:
    """One try; when the next one comes stands in the row."""
    writeback.resume(row_id)


@shared_task
def follow_merges() -> None:
    """What becomes of saved results whose patients' records were merged since."""
    merges.follow_all()


@shared_task
def look_for_merges() -> None:
    """One message for each active EHR, so that a slow one keeps no other waiting."""
    for ehr_id in Ehr.objects.filter(active=True).values_list("pk", flat=True):
        look_for_merges_at.delay(ehr_id)


@shared_task
def look_for_merges_at(ehr_id: int) -> None:
    """Read each patient again whose saved results stand in a chart."""
    merges.look(Ehr.objects.get(pk=ehr_id))


@shared_task
def seal_audit() -> None:
    """Chain the newest audit entries."""
    chain.seal()


@shared_task
def purge_expired() -> None:
    """Let go of what has been kept long enough."""
    retention.purge()


@shared_task
def collect_outcomes() -> None:
    """Rows for the statistics out of what was answered, and what turned out about earlier answers."""
    outcomes.collect()


@shared_task
def watch_models() -> None:
    """Is each model still asked about such people as it learnt from, and still right?"""
    watch.watch_all()


@shared_task
def renew_models() -> None:
    """Try each model on the cases since; a better one becomes a draft, which people judge."""
    renewal.renew_all()


@shared_task
def prepare_reviews() -> None:
    """One message for each doubted answer that was not replayed yet."""
    for assessment_id in review.unprepared():
        prepare_review.delay(assessment_id)


@shared_task
def prepare_review(assessment_id: str) -> None:
    """Replay it for the reviewer's page, and ring."""
    review.prepare(assessment_id)
    doorbell.ring(review_bell(assessment_id))


def review_bell(assessment_id: str) -> str:
    return f"review:{assessment_id}"


@shared_task
def reach_ehrs() -> None:
    """One message for each active EHR, so that a slow one keeps no other waiting."""
    for ehr_id in Ehr.objects.filter(active=True).values_list("pk", flat=True):
        reach_ehr.delay(ehr_id)


@shared_task
def reach_ehr(ehr_id: int) -> None:
    """Can it be reached? The admin's first page shows the answer."""
    try_connection(Ehr.objects.get(pk=ehr_id))


@shared_task
def sweep_on() -> None:
    """One message for each population run that is to go on; whoever works on one already keeps it."""
    for run in population.unfinished():
        sweep.delay(str(run.pk))


@shared_task
def sweep(run_id: str) -> None:
    """Ask about everybody in a run. Again, or beside another worker, nobody is asked twice.

    While an EHR writes its export, the worker goes: `sweep_on` comes back when the EHR is to be asked again.
    """
    run = PopulationRun.objects.select_related("ehr").get(pk=run_id)
    with suppress(population.Busy), closing(population.sweep(run, run.folder)) as steps:
        for step in steps:
            if isinstance(step, population.Fetching) and step.waits > WAITED_FOR:
                return


def sweep_soon(run: PopulationRun) -> None:
    """A worker takes it, or takes note of what is wished of it; with the queue down, beat comes back to it."""
    with suppress(QueueDown):
        sweep.delay(str(run.pk))


@shared_task
def expire_batches() -> None:
    """Let go of what outside systems were told long enough ago, and of what killed processes left."""
    population.clear()
    population.expire()


@shared_task
def follow_up() -> None:
    """One message for each subscription with news, and for each patient whose turn it is to be asked about again."""
    for subscription_id in notified.due_subscriptions():
        follow.delay(subscription_id)
    for row_id in notified.due_rescorings():
        rescore.delay(row_id)


@shared_task
def keep_listening() -> None:
    """Search where nothing is heard any more; ask again before an EHR forgets what it was asked."""
    notified.renew()
    notified.recover()


@shared_task
def follow(subscription_id: int) -> None:
    """Find out whose results were told of."""
    notified.follow(subscription_id)


@shared_task
def rescore(row_id: int) -> None:
    """Ask again about one patient; by the policy `auto` the answer is written back as any other."""
    for assessment_id in notified.rescore(row_id):
        assess.delay(assessment_id)


@worker_init.connect
def warm_up(**_: Any) -> None:
    """Load each model before the first question comes: importing XGBoost takes longer than a hook may wait."""
    decoders.build()
    for service in all_services():
        try:
            if service.model:
                shelf.active(service.model)
        except ScoringError:
            logger.exception("%s has no model to score with", service.id)
    doorbell.worker_seen()


@heartbeat_sent.connect
def _worker_seen(**_: Any) -> None:
    doorbell.worker_seen()
