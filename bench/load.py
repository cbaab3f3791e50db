"""The load: one process, one epoll loop, requests made beforehand; a closed model, or arrivals at a constant rate.

Constant arrival is an open model without coordinated omission: a request's time starts when it was due, whether or not a
connection was free.
"""

from __future__ import annotations

import multiprocessing
import select
import socket
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import count

from bench.bodies import Body

ANSWER, PENDING = b"Consider HbA1c", b"Still checking"  # in the card's summary
_BLOCK = 262_144
_DRAIN_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to send where. `rate` None: closed model. `first_patient` None: the same patient each time."""

    port: int
    path: str
    body: Body
    connections: int
    seconds: float
    warm: float = 0.3
    rate: float | None = None
    first_patient: int | None = None
    tokens: list[str] = field(default_factory=list, repr=False)  # one for each request; [] sends none


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What came back. `total` counts the warm-up too, as the processes' CPU time does."""

    seconds: float
    total: int
    answered: int
    pending: int
    failed: int
    milliseconds: list[float] = field(repr=False)  # of those that were answered, sorted

    @property
    def per_second(self) -> float:
        return self.answered / self.seconds

    def percentile(self, percent: float) -> float:
        if not self.milliseconds:
            return float("nan")
        return self.milliseconds[min(len(self.milliseconds) - 1, int(len(self.milliseconds) * percent / 100))]


def send(load: Load) -> Figures:
    """Run it in a process of its own, which has nothing else to do."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_send, load).result()


def _send(load: Load) -> Figures:
    return _Run(load).play()


class _Connection:
    """One kept-alive HTTP/1.1 connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.unsent = memoryview(b"")
        self.answer = bytearray()
        self.due = 0.0

    def begin(self, request: bytes, *, due: float) -> None:
        self.unsent, self.due = memoryview(request), due
        self.answer.clear()
        self.push()

    def push(self) -> None:
        """As much as the socket takes."""
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            return

    def finished(self) -> bool:
        """Read what is there; True when the answer is whole."""
        block = self.socket.recv(_BLOCK)
        if not block:
            raise ConnectionResetError("the server closed the connection")
        self.answer += block
        head, found, body = self.answer.partition(b"\r\n\r\n")
        if not found:
            return False
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return len(body) >= int(length)


class _Run:
    def __init__(self, load: Load) -> None:
        self.load = load
        self.poll = select.epoll()
        self.busy: dict[int, _Connection] = {}
        self.idle: deque[_Connection] = deque()
        self.tokens = iter(load.tokens)
        self.patients = count(load.first_patient or 0)
        self.total = self.answered = self.pending = self.failed = 0
        self.times: list[float] = []
        self.begins = self.ends = 0.0

    def play(self) -> Figures:
        self.idle.extend(self._connect() for _ in range(self.load.connections))
        self.begins = time.perf_counter() + self.load.warm
        self.ends = self.begins + self.load.seconds
        if self.load.rate is None:
            self._closed()
        else:
            self._arrivals(self.load.rate)
        self.failed += len(self.busy)
        lasted = self.ends - self.begins
        return Figures(
            seconds=lasted,
            total=self.total,
            answered=self.answered,
            pending=self.pending,
            failed=self.failed,
            milliseconds=sorted(self.times),
        )

    def _connect(self) -> _Connection:
        made = _Connection(self.load.port)
        self.poll.register(made.socket.fileno(), select.EPOLLIN)
        return made

    def _closed(self) -> None:
        """Each connection asks again as soon as it was answered."""
        while (now := time.perf_counter()) < self.ends:
            while self.idle and self._start(now):
                now = time.perf_counter()
            if not self.busy:  # the signed tokens are used up: the round was shorter
                self.ends = now
                return
            self._turn(0.1)
        while self.busy and time.perf_counter() < self.ends + _DRAIN_SECONDS:
            self._turn(0.1)

    def _arrivals(self, rate: float) -> None:
        """Due at fixed times from the start of the warm-up to the end."""
        start = time.perf_counter()
        due = deque(start + number / rate for number in range(int((self.ends - start) * rate)))
        while (due or self.busy) and time.perf_counter() < self.ends + _DRAIN_SECONDS:
            while due and due[0] <= time.perf_counter():
                if not self.idle:
                    self.idle.append(self._connect())
                self._start(due.popleft())
            self._turn(max(0.0, min(0.1, due[0] - time.perf_counter())) if due else 0.1)
        self.failed += len(due)

    def _start(self, due: float) -> bool:
        request = self._request()
        if request is None:
            return False
        connection = self.idle.popleft()
        self.busy[connection.socket.fileno()] = connection
        connection.begin(request, due=due)
        if connection.unsent:
            self.poll.modify(connection.socket.fileno(), select.EPOLLIN | select.EPOLLOUT)
        return True

    def _request(self) -> bytes | None:
        token = next(self.tokens, None) if self.load.tokens else ""
        if token is None:
            return None
        fresh = self.load.first_patient is not None
        body = self.load.body.text(next(self.patients) if fresh else None)
        signed = f"Authorization: Bearer {token}\r\n" if token else ""
        head = (
            f"POST {self.load.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.load.port}\r\n{signed}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _turn(self, wait: float) -> None:
        """Whatever is ready: send more, or take an answer."""
        for number, events in self.poll.poll(wait):
            connection = self.busy.get(number)
            if connection is None:
                continue
            if events & select.EPOLLOUT:
                connection.push()
                if not connection.unsent:
                    self.poll.modify(number, select.EPOLLIN)
            if events & ~select.EPOLLOUT:
                self._take(number, connection)

    def _take(self, number: int, connection: _Connection) -> None:
        try:
            if not connection.finished():
                return
        except OSError:
            self._count(connection, b"")
            del self.busy[number]
            self.poll.unregister(number)
            connection.socket.close()
            self.idle.append(self._connect())
            return
        self._count(connection, bytes(connection.answer))
        self.idle.append(self.busy.pop(number))

    def _count(self, connection: _Connection, answer: bytes) -> None:
        """Arrivals count by when they were due. In the closed model the rate counts what was answered in the window; times
        also count what was still under way at its end, or the slowest would be left out."""
        self.total += 1
        now = time.perf_counter()
        if not self.begins <= (now if self.load.rate is None else connection.due):
            return
        if not answer.startswith(b"HTTP/1.1 200"):
            self.failed += 1
        elif ANSWER in answer:
            self.answered += self.load.rate is not None or now <= self.ends
            self.times.append((now - connection.due) * 1000)
        elif PENDING in answer:
            self.pending += 1
        else:
            self.failed += 1
