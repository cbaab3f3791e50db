"""The verb: everybody in a folder is asked about once, in blocks; stopped anywhere, it goes on with the next block."""

from __future__ import annotations

import fcntl
import logging
import shutil
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone
from msgspec import Struct

from cds import audit, bulk
from cds.bulk import Fetching
from cds.errors import CdsError
from cds.leaving import leave
from cds.models import OptOut, PopulationResult, PopulationRun
from cds.population.fold import Answer, Asking
from cds.population.intake import Reading
from cds.population.keep import keep
from cds.population.machine import on_this_machine
from cds.population.panels import lists_of
from scoring.errors import ScoringError

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


# Given what is asked, a folder and how many patients at once, it yields how far the reading is, then block after block of
# answers of those who have none yet. It counts the patients into the run before the first block, which may be empty.
Engine = Callable[[Asking, Path, int], Generator[Reading | list[Answer], None, None]]


def sweep(
    run: PopulationRun, folder: Path, *, engine: Engine | None = None, block: int = BLOCK
) -> Generator[Fetching | Reading | Progress, None, None]:
    """Go on with `run` until everybody has an answer, or until somebody wants it to stop; `run.state` says which.

    Raises Busy where another process is at it. What stops it otherwise stands in `run.error`.
    """
    with _held(run):
        run.refresh_from_db()
        if run.over or not _wanted(run):
            return
        try:
            if run.source not in {Source.EXPORT, Source.CRAWL} or (yield from _fetch(run)):
                asking = Asking(run=run, lists=lists_of(run))
                with closing((engine or on_this_machine)(asking, folder, block)) as found:
                    yield from _sweep(asking, found)
        except (CdsError, ScoringError) as error:
            logger.error("run %s stopped: %s", run.pk, type(error).__name__)
            _become(run, State.FAILED, error=str(error)[:500])
        except OSError as error:  # a full disk, mostly; its own text may name a file
            logger.error("run %s stopped: %s", run.pk, error.strerror)
            _become(run, State.FAILED, error=f"The records could not be read or kept: {error.strerror}.")
        except (InterfaceError, OperationalError):  # the database is away: a worker goes on once it is back
            raise
        except Exception as error:  # noqa: BLE001 -- the outermost edge: what would fail again is not tried for ever
            where = "".join(traceback.format_tb(error.__traceback__))  # without its text, which may repeat a row
            logger.error("run %s stopped: %s\n%s", run.pk, type(error).__name__, where)
            _become(run, State.FAILED, error=f"Something went wrong that nobody had foreseen ({type(error).__name__}).")


def _fetch(run: PopulationRun) -> Generator[Fetching, None, bool]:
    """Is everything here, from now or before? Not if somebody wants it to stop."""
    for step in bulk.fetch(run):
        if run.state != State.FETCHING:
            _become(run, State.FETCHING, started_at=run.started_at or timezone.now(), error="")
        yield step
        if not _wanted(run):
            return False
    return True


def _sweep(asking: Asking, found: Iterator[Reading | list[Answer]]) -> Generator[Reading | Progress, None, None]:
    run = asking.run
    _become(run, State.SCORING, started_at=run.started_at or timezone.now(), error="")
    for one in found:
        if isinstance(one, Reading):
            yield one
        else:
            keep(asking, one)
            yield Progress(done=run.done, of=run.patients or 0)
        if not _wanted(run):
            return
    _let_leave(run)
    _become(run, State.DONE)


def _let_leave(run: PopulationRun) -> None:
    """Whoever said no while their block was under way, before anything is given out."""
    if run.ehr is not None:
        keys = OptOut.objects.filter(ehr=run.ehr).values_list("patient_key", flat=True)
        leave(run.ehr, keys.iterator(), PopulationResult.Left.OPTED_OUT)


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
    with transaction.atomic():
        run.save(update_fields=["state", *more])
        audit.record(f"sweep-{state}", actor=audit.US, ehr=run.ehr, subject=str(run.pk), answered=run.done)
    if run.over:
        _put_away(run)


def _put_away(run: PopulationRun) -> None:
    bulk.let_go(run)
    shutil.rmtree(run.spool, ignore_errors=True)


def clear() -> None:
    """What is left of runs that were just over when the process at work was killed: records here, exports at the EHR."""
    for lock in Path(settings.BULK_FOLDER).glob("*.lock"):
        with suppress(ValidationError, Busy):  # somebody else's file; somebody is at it
            run = PopulationRun.objects.filter(pk=lock.stem).first()
            if run is not None and run.over:
                with _held(run):
                    _put_away(run)


@contextmanager
def _held(run: PopulationRun) -> Iterator[None]:
    """One process at a time; the lock of one that was killed is gone with it, its file with the run."""
    run.spool.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (place := run.spool.with_suffix(".lock")).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy("another process works on this run") from error
        yield
        if run.over:
            place.unlink(missing_ok=True)


def unfinished() -> Iterator[PopulationRun]:
    """Runs that are to go on, or to stop, and did not yet; who takes one finds out whether it is held.

    Where the EHR still writes its export, none is needed before it is to be asked again.
    """
    at_it = Q(state__in=[State.QUEUED, State.FETCHING, State.SCORING])
    waits = Q(export__next_at__gt=timezone.now())
    cancelled = Q(wish=Wish.CANCEL) & ~Q(state__in=[State.DONE, State.CANCELLED])
    steered = (at_it & Q(wish=Wish.PAUSE)) | cancelled
    here = Q(wish=Wish.RUN, engine=PopulationRun.Engine.MACHINE)  # whoever began one on Spark goes on with it there
    yield from PopulationRun.objects.filter((at_it & here & ~waits) | steered)
