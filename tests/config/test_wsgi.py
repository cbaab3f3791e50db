"""The web process answers its first requests from several threads at once."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cds.codes import Code
from cds.context import PatientContext
from cds.facts import Observed, Person, Quantity, When

PROJECT = Path(__file__).resolve().parents[2]
PROCESSES = 3  # without cds.decoders two in five die
FIRST_REQUESTS = """
import os, sys
import config.wsgi
from threading import Barrier, Thread
from cds.context import PatientContext

facts, together = sys.stdin.buffer.read(), Barrier(8)
sys.setswitchinterval(1e-6)

def read():
    together.wait()
    PatientContext.from_json(facts)

threads = [Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
os._exit(0)
"""


def facts() -> bytes:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    when, value = When(text="2026-11-01", earliest=moment, latest=moment), Quantity(value=6.1, unit="%")
    code = Code("http://loinc.org", "4548-4")
    hba1c = Observed(analyte="hba1c", code=code, quantity=value, reported=value, when=when, source="Observation/a1c")
    person = Person(id="ada", birth_date=when)
    return PatientContext(patient=person, now=moment, observations={"hba1c": (hba1c,)}).as_json()


@pytest.mark.timeout(120)
def test_no_process_dies_when_several_threads_read_the_same_shape_first(tmp_path: Path) -> None:
    processes = []
    for number in range(PROCESSES):
        home = {"DJANGO_SETTINGS_MODULE": "tests.settings", "BEDSIDE_HOME": str(tmp_path / str(number))}
        command = [sys.executable, "-c", FIRST_REQUESTS]
        processes.append(
            subprocess.Popen(
                command, env={**os.environ, **home}, cwd=PROJECT, stdin=subprocess.PIPE, stderr=subprocess.PIPE
            )
        )
    for process in processes:
        _, said = process.communicate(facts())
        assert process.returncode == 0, said.decode()
