"""What workers do for the SMART door."""

from __future__ import annotations

from celery import shared_task

from smartapp import sessions


@shared_task
def close_sessions() -> None:
    """Nobody comes back to most sessions: their tokens are given back all the same."""
    sessions.close_forgotten()
