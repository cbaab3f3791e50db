"""Killed while the EHR is asked or a file is on its way, the same command goes on; nothing is asked for twice."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cds.models import Ehr, PopulationRun
from tests.bulk_ehr import BulkEhr, Said
from tests.cds.bulk.exports import THE_CAST
from tests.cds.population.conftest import reasons
from tests.environments import environment

SECONDS = 240  # two processes that start from nothing, on a busy machine


@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["/status/1", "/files/Observation.ndjson"])
def test_a_killed_process_goes_on_where_it_was(exporting: Ehr, exporter: BulkEhr, spool: Path, place: str) -> None:
    command = [sys.executable, "manage.py", "score_population", "--ehr", exporting.name]
    options = {"env": environment(BULK_FOLDER=str(spool)), "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    held = threading.Event()
    exporter.next[f"GET {place}"] = [Said(status=503, held=held)]
    with subprocess.Popen(command, **options) as killed:  # type: ignore[call-overload]
        exporter.wait_for("GET", place, SECONDS)
        killed.kill()
    held.set()
    went_on = subprocess.run(command, check=False, timeout=SECONDS, **options)  # type: ignore[call-overload]
    assert went_on.returncode == 0, went_on.stdout.decode()
    run = PopulationRun.objects.get()
    assert run.state == PopulationRun.State.DONE
    assert reasons(run) == THE_CAST
    assert exporter.exports == 1
    asked = {f"/files/{name}": exporter.times("GET", f"/files/{name}") for name in exporter.files}
    assert asked == dict.fromkeys(asked, 1) | ({place: 2} if place in asked else {})
