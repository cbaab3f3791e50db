"""Several processes answer as one does: for everybody once, in the same order, wherever it was stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from cds import registry
from cds.models import Assessment, Ehr, PopulationRun
from cds.opt_out import opt_out
from cds.population import Progress, open_run, pause, resume, spool, sweep
from tests.cds.population.conftest import THE_CAST, asked, reasons

pytestmark = pytest.mark.timeout(180)  # interpreters start, and import everything
State = PopulationRun.State


@pytest.fixture(autouse=True)
def many_parts(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """The cast is few, and still spread over many files."""
    monkeypatch.setattr(spool, "PART", 2_000)
    settings.POPULATION_PROCESSES = 2


def in_order(run: PopulationRun) -> list[tuple[str, str, float | None]]:
    return list(run.results.order_by("pk").values_list("pseudonym", "reason", "probability"))


def test_two_processes_answer_as_one_does(ehr: Ehr, folder: Path, settings: Settings) -> None:
    together = asked(folder, ehr)
    cases = set(Assessment.objects.values_list("fingerprint", flat=True))
    settings.POPULATION_PROCESSES = 1
    alone = asked(folder, ehr)
    assert (together.state, alone.state) == (State.DONE, State.DONE)
    assert reasons(together) == THE_CAST
    assert in_order(together) == in_order(alone)
    assert cases == set(Assessment.objects.values_list("fingerprint", flat=True))


def test_who_says_no_while_the_others_are_at_it_is_left_out(ehr: Ehr, folder: Path) -> None:
    run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder))
    for step in sweep(run, folder, block=1):
        if step == Progress(done=1, of=6):
            for name in THE_CAST:
                opt_out(ehr, name, actor="us")
    assert run.results.filter(reason="opted-out").count() >= 5
    assert not Assessment.objects.filter(population_results__run=run, population_results__left="").exists()


def test_what_was_stopped_goes_on_in_several_processes(ehr: Ehr, folder: Path) -> None:
    run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder))
    for step in sweep(run, folder, block=1):
        if step == Progress(done=2, of=6):
            assert pause(run, why="lunch", actor="it")
    run.refresh_from_db()
    assert (run.state, run.done) == (State.PAUSED, 2)
    assert resume(run, why="back", actor="it")
    assert list(sweep(run, folder, block=1))[-1] == Progress(done=6, of=6)
    assert reasons(run) == THE_CAST
