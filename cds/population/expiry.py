"""What an outside system was told is kept for BATCH_HOURS; then it goes, with whatever else its run still holds."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from cds import audit
from cds.models import PopulationRun
from cds.population.steer import cancel
from cds.population.sweep import Busy, sweep

State = PopulationRun.State
ARRIVING = "arriving-"  # a folder of BULK_FOLDER while its upload is under way


def expire() -> int:
    """How many runs of outside systems were let go. Under a legal hold none."""
    if settings.AUDIT_HOLD:
        return 0
    before = timezone.now() - timedelta(hours=settings.BATCH_HOURS)
    asked = PopulationRun.objects.exclude(client="")
    left = Q(state__in=[State.FAILED, State.PAUSED], created_at__lt=before) | Q(wish=PopulationRun.Wish.CANCEL)
    for run in asked.filter(left).exclude(state__in=[State.DONE, State.CANCELLED]):
        _end(run)
    old = asked.filter(Q(state=State.CANCELLED) | Q(state=State.DONE, finished_at__lt=before))
    runs = list(old.filter(results__isnull=False).distinct())
    for run in runs:
        let_go(run)
    _sweep_up(before)
    return len(runs)


def let_go(run: PopulationRun) -> None:
    """Its answers, patient by patient; the counts stay, and the case files have a retention time of their own."""
    if settings.AUDIT_HOLD:
        return
    run.results.all().delete()
    run.flaws.all().delete()
    audit.record("sweep-expire", actor=audit.US, ehr=run.ehr, subject=str(run.pk), answered=run.done)


def _end(run: PopulationRun) -> None:
    """Nobody went on with it in time: its records must not lie about."""
    cancel(run, why="nobody went on with it in time", actor=audit.US)
    with suppress(Busy):
        for _ in sweep(run, run.folder):  # takes note of the wish
            pass


def _sweep_up(before: datetime) -> None:
    """Uploads that a killed process has left half-way."""
    for folder in Path(settings.BULK_FOLDER).glob(f"{ARRIVING}*"):
        if folder.stat().st_mtime < before.timestamp():
            shutil.rmtree(folder, ignore_errors=True)
