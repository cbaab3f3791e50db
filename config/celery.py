"""The queue: Redis and separate workers, or a worker thread in the same process (embedded mode)."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from celery import Celery
from celery.beat import Scheduler, Service
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("bedside")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def start_embedded_worker() -> threading.Thread:
    """Consume the in-memory queue in a thread of this process; for demo, edge and tests only."""
    thread = threading.Thread(target=_work, name="embedded-worker", daemon=True)
    thread.start()
    return thread


def _work() -> None:
    """Load the models (seconds, in which the web already answers), pick up what the last process left, go on."""
    from cds.tasks import pick_up_lost, warm_up

    warm_up()
    pick_up_lost()
    alone: dict[str, Any] = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}
    app.WorkController(pool="solo", concurrency=1, **alone).start()


def start_embedded_beat() -> None:
    """The schedule (lost assessments, sealing, retention) in a thread of this process, where there is no beat beside it."""
    beat = Service(app, scheduler_cls=Scheduler)
    threading.Thread(target=beat.start, name="embedded-beat", daemon=True).start()


def worker_answers(within_seconds: float) -> bool:
    """Ask until a worker answers (a ping that is sent before it listens is lost) and has loaded its models."""
    from cds.doorbell import worker_alive, worker_loaded

    if settings.EMBEDDED:
        return worker_loaded(within_seconds)
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if app.control.ping(timeout=1.0, limit=1) and worker_alive():
            return True
    return False
