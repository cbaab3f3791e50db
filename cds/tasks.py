"""What workers do. Each task is an id, a verb and a retry rule; running one twice changes nothing."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import heartbeat_sent, worker_ready
from kombu.exceptions import OperationalError as QueueDown

from cds import assess as verb
from cds import audit, doorbell

__all__ = ["QueueDown", "assess", "pick_up_lost", "seal_audit"]


@shared_task
def assess(assessment_id: str) -> None:
    """Score one queued assessment and ring."""
    verb.assess(assessment_id)
    doorbell.ring(assessment_id)


@shared_task
def pick_up_lost() -> None:
    """Queue again what a lost message or a killed worker left behind; expire what is too old to be news."""
    for assessment_id in verb.lost():
        assess.delay(assessment_id)


@shared_task
def seal_audit() -> None:
    """Chain the newest audit entries."""
    audit.seal()


@heartbeat_sent.connect
@worker_ready.connect
def _worker_seen(**_: Any) -> None:
    doorbell.worker_seen()
