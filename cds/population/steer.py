"""What an administrator wants of a run. Whoever works on it looks between two blocks."""

from __future__ import annotations

from django.db import transaction

from cds import audit
from cds.models import PopulationRun

State, Wish = PopulationRun.State, PopulationRun.Wish


def pause(run: PopulationRun, *, why: str, actor: str) -> bool:
    """Was there anything to pause? It stops after the block under way."""
    return _steer(run, Wish.PAUSE, {State.QUEUED, State.FETCHING, State.SCORING}, why=why, actor=actor)


def resume(run: PopulationRun, *, why: str, actor: str) -> bool:
    """Go on where it stopped, or was stopped by an error; the caller hands it to a worker."""
    return _steer(run, Wish.RUN, {State.PAUSED, State.FAILED}, why=why, actor=actor, state=State.QUEUED, error="")


def cancel(run: PopulationRun, *, why: str, actor: str) -> bool:
    """For good: what was answered stays, the rest is never asked."""
    return _steer(run, Wish.CANCEL, set(State) - {State.DONE, State.CANCELLED}, why=why, actor=actor)


def _steer(
    run: PopulationRun, wish: PopulationRun.Wish, among: set[PopulationRun.State], *, why: str, actor: str, **more: str
) -> bool:
    with transaction.atomic():
        rows = PopulationRun.objects.filter(pk=run.pk, state__in=among)
        done = rows.update(wish=wish, reason=why, **more)
        if done:
            audit.record(f"sweep-{wish}", actor=actor, ehr=run.ehr, subject=str(run.pk), reason=why)
    return bool(done)
