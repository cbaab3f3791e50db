"""The verb: everybody in a folder is asked about once, in blocks; stopped anywhere, it goes on with the next block."""

from __future__ import annotations

import fcntl
import logging
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from django.utils import timezone
from msgspec import Struct

from cds import audit
from cds.errors import CdsError
from cds.fhir.files import Chart, charts
from cds.models import PopulationRun
from cds.population.fold import Asking
from cds.population.keep import keep

logger = logging.getLogger(__name__)

BLOCK = 256  # patients

State, Wish, Source = PopulationRun.State, PopulationRun.Wish, PopulationRun.Source


class Busy(CdsError):
    """Another process works on this run."""

    retry = True
    status = 409


class Progress(Struct, frozen=True, kw_only=True):
    """How far a run is: of `of` patients, `done` have their answer."""

    done: int
    of: int


def sweep(run: PopulationRun, folder: Path, *, block: int = BLOCK) -> Generator[Progress, None, None]:
    """Go on with `run` until everybody has an answer, or until somebody wants it to stop; `run.state` says which.

    Raises Busy where another process is at it. What stops it otherwise stands in `run.error`.
    """
    with _held(run):
        run.refresh_from_db()
        if run.over or not _wanted(run):
            return
        try:
            yield from _sweep(run, folder, block)
        except CdsError as error:
            logger.error("run %s stopped: %s", run.pk, type(error).__name__)
            _become(run, State.FAILED, error=str(error)[:500])


def _sweep(run: PopulationRun, folder: Path, size: int) -> Generator[Progress, None, None]:
    _become(run, State.SCORING, started_at=run.started_at or timezone.now(), error="")
    asking = Asking(run=run)
    everybody = list(charts([folder]))
    run.patients = len(everybody)
    run.save(update_fields=["patients"])
    yield Progress(done=run.done, of=run.patients)
    waiting = iter(everybody[run.done :])
    while block := list[Chart](islice(waiting, size)):
        keep(asking, asking.answers(block))
        yield Progress(done=run.done, of=run.patients)
        if not _wanted(run):
            return
    _become(run, State.DONE)


def _wanted(run: PopulationRun) -> bool:
    """Does whoever steers it want it to go on?"""
    run.wish = PopulationRun.objects.values_list("wish", flat=True).get(pk=run.pk)
    if run.wish == Wish.RUN:
        return True
    _become(run, State.PAUSED if run.wish == Wish.PAUSE else State.CANCELLED)
    return False


def _become(run: PopulationRun, state: PopulationRun.State, **more: object) -> None:
    """What it is now, and what follows: a run that is over keeps no records of patients in its folder."""
    run.state = state
    if run.over:
        more["finished_at"] = timezone.now()
    for name, value in more.items():
        setattr(run, name, value)
    run.save(update_fields=["state", *more])
    audit.record(f"sweep-{state}", actor=audit.US, ehr=run.ehr, subject=str(run.pk), answered=run.done)
    if run.over:
        shutil.rmtree(run.spool, ignore_errors=True)


@contextmanager
def _held(run: PopulationRun) -> Iterator[None]:
    """One process at a time; the lock of one that was killed is gone with it."""
    run.spool.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with run.spool.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy("another process works on this run") from error
        yield


def unfinished() -> Iterator[PopulationRun]:
    """Runs whose files are there, not done and stopped by nobody; who takes one finds out whether it is held."""
    yield from PopulationRun.objects.filter(
        state__in=[State.QUEUED, State.SCORING], wish=Wish.RUN, source__in=[Source.FOLDER, Source.UPLOAD]
    )
