"""The engine of one machine: files into the spool, everybody's records out of it, answers."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from django.conf import settings
from django.db import transaction

from cds.crew import Crew
from cds.errors import BadInput
from cds.models import PopulationFlaw, PopulationRun
from cds.population.fold import Answer, Asking
from cds.population.intake import Accounts, Intake, Reading, files_in, size_of
from cds.population.shares import Charts, answers
from cds.population.spool import Contents, Spool, parts_of

WORTH_IT = 4  # parts of a spool; with fewer, processes take longer to start than they save


def on_this_machine(asking: Asking, folder: Path, size: int) -> Generator[Reading | list[Answer], None, None]:
    """Read once into the spool, which has everybody in a fixed order: who has an answer already is counted off.

    Much is answered by several processes; the others get ready while it is read.
    """
    run, place = asking.run, asking.run.spool / "records"
    contents = Spool(place).contents() if run.patients is not None else None
    with Crew(_others(contents, folder)) as crew:
        if contents is None:
            contents = yield from _take_in(run, folder, asking)
        yield []
        yield from answers(crew, asking, Charts(folder=place, contents=contents, after=run.done, size=size))


def _others(contents: Contents | None, folder: Path) -> int:
    """How many processes beside this one: none where there is little to do."""
    parts = len(contents.patients) if contents else parts_of(size_of(files_in(folder)))
    return max(settings.POPULATION_PROCESSES - 1, 0) if parts >= WORTH_IT else 0


def _take_in(run: PopulationRun, folder: Path, asking: Asking) -> Generator[Reading, None, Contents]:
    """With the accounts; who stops it here has it read anew."""
    intake = Intake(run, asking.service.needs, folder=folder, spool=run.spool / "records")
    yield from intake
    contents = intake.settle()
    settle(run, patients=sum(contents.patients), accounts=intake.accounts)
    intake.spool.close(contents)
    return contents


def settle(run: PopulationRun, *, patients: int, accounts: Accounts) -> None:
    """What the reading found. Raises BadInput where an earlier try has found something else, TooLarge where it is too much."""
    run.require_few_enough(patients)
    files = accounts.said()
    if run.files and (run.patients, run.files) != (patients, files):
        raise BadInput("The folder is no longer what it was when the run began: begin anew.")
    with transaction.atomic():
        PopulationFlaw.objects.bulk_create(accounts.flaws, batch_size=1000, ignore_conflicts=True)
        run.patients, run.files = patients, files
        run.save(update_fields=["patients", "files"])
