"""The queue: Redis and separate workers, or a worker thread in the same process (embedded mode)."""

from __future__ import annotations

import os
import threading

from celery import Celery

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
    from cds.tasks import pick_up_lost, warm_up

    warm_up()
    pick_up_lost()
    alone = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}
    app.WorkController(pool="solo", concurrency=1, **alone).start()
