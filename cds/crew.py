"""Processes beside this one, for work that Python would otherwise do on one core.

Each is given a task and tells what it finds, bit by bit; it is never further ahead than a pipe holds, so that memory stays
bounded. They are started anew ("spawn"), since a worker with threads must not be forked, and end with whoever started
them, by SIGKILL too: then their pipe is closed.
"""

from __future__ import annotations

import pickle
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Self

import django

from cds.errors import CdsError

Task = Callable[[], Iterator[bytes]]


class Died(CdsError):
    """One of the processes ended before its work did."""

    def __init__(self) -> None:
        super().__init__(
            "A process that was at work has died; the log says why. What was answered stays: let it go on."
        )


class Crew:
    """So many processes, which import the product while others still get their work ready; perhaps none at all."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._starting = list(range(size))
        self._ends = list[Connection]()
        context = get_context("spawn")
        pipes = [context.Pipe() for _ in range(size)]
        self._processes = [context.Process(target=_serve, args=(there,), daemon=True) for _, there in pipes]
        for process, (here, there) in zip(self._processes, pipes, strict=True):
            process.start()
            there.close()
            self._ends.append(here)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever they are at."""
        for end, process in zip(self._ends, self._processes, strict=True):
            end.close()
            process.terminate()
            process.join()

    def ready(self) -> None:
        """Returns when all of them have imported what they need. Raises Died."""
        while self._starting:
            self.told(self._starting.pop())

    def start(self, tasks: Iterable[Task]) -> None:
        """One for each of them; what a task holds must be picklable. Raises Died."""
        self.ready()
        for end, task in zip(self._ends, tasks, strict=True):
            end.send_bytes(pickle.dumps(task))

    def told(self, number: int) -> bytes:
        """What that one tells next. Raises Died."""
        try:
            return self._ends[number].recv_bytes()
        except (EOFError, ConnectionError) as error:
            raise Died from error


def _serve(there: Connection) -> None:
    """Ctrl-C is for whoever started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    django.setup()
    task: Task = pickle.loads(_given(there))  # noqa: S301 -- whoever started us made it
    for told in task():
        _send(told, there)


def _given(there: Connection) -> bytes:
    """Once it is known that we are ready."""
    _send(b"", there)
    with suppress(EOFError, ConnectionError):
        return there.recv_bytes()
    sys.exit()


def _send(told: bytes, there: Connection) -> None:
    """Ends where nobody listens any more."""
    with suppress(ConnectionError):
        there.send_bytes(told)
        return
    sys.exit()
