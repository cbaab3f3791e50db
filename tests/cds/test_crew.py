"""Other processes of ours: what they tell comes in order, and neither of the two sides outlives the other."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from cds.crew import Crew, Died

PROJECT = Path(__file__).resolve().parents[2]
ALONE = """
import os, sys
from functools import partial
from cds.crew import Crew
from tests.cds.test_crew import endlessly
crew = Crew(1)
crew.start([partial(endlessly)])
print(crew.told(0).decode(), flush=True)
sys.stdin.read()
"""


def counted(first: int) -> Iterator[bytes]:
    yield from (str(number).encode() for number in range(first, first + 3))


def endlessly() -> Iterator[bytes]:
    while True:
        yield str(os.getpid()).encode()


def dying() -> Iterator[bytes]:
    yield b"alive"
    os.kill(os.getpid(), signal.SIGKILL)


def test_each_tells_what_it_finds_in_its_order() -> None:
    with Crew(2) as crew:
        crew.start([partial(counted, 0), partial(counted, 10)])
        assert [crew.told(1) for _ in range(3)] == [b"10", b"11", b"12"]
        assert [crew.told(0) for _ in range(3)] == [b"0", b"1", b"2"]


def test_one_that_dies_is_not_waited_for() -> None:
    with Crew(1) as crew:
        crew.start([dying])
        assert crew.told(0) == b"alive"
        with pytest.raises(Died, match="let it go on"):
            crew.told(0)


def test_whoever_has_enough_ends_them_at_once() -> None:
    with Crew(1) as crew:
        crew.start([endlessly])
        pid = int(crew.told(0))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.timeout(120)
def test_nobody_is_left_when_who_started_them_is_killed() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", ALONE]
    with subprocess.Popen(
        command, env=environment, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        child = os.pidfd_open(pid)
        starter.kill()
    ended, _, _ = select.select([child], [], [], 60)
    assert ended
