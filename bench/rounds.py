"""What is measured: who answers, how, under which load; played in rounds, told as medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bench import load
from bench.bodies import LARGE, SMALL, body
from bench.load import Figures, Load
from bench.stage import Place, Stage

_DRAIN_SECONDS = 60.0
_FIRST_GUESS = {SMALL: 1500, LARGE: 500}  # requests/s, for the number of tokens to sign; later rounds know better
_MARGIN = 1.5


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to answer: which layers are on."""

    name: str
    path: str
    peer: bool = False
    signed: str = ""  # the algorithm of the caller's JWT; "": there is none
    fresh: bool = False  # another patient each time, so that nothing was assessed before
    fixed: bool = False


PEER_STATIC = Way(name="HealthChain, fixed card", path="/cds/cds-services/diabetes-risk", peer=True, fixed=True)
PEER = Way(name="HealthChain, scoring", path="/cds/cds-services/diabetes-risk", peer=True)
STATIC = Way(name="ours, fixed card", path="/cds-services/bench/static", fixed=True)
TRUSTED = Way(name="ours, + trust", path="/cds-services/bench/trusted", signed="ES384", fixed=True)
STORED = Way(name="ours, + stored", path="/cds-services/diabetes-risk", signed="ES384")
QUEUED = Way(name="ours, + queued", path="/cds-services/diabetes-risk", signed="ES384", fresh=True)
# The same for a caller that signs with RSA, as Epic does.
TRUSTED_RSA = replace(TRUSTED, name="ours, + trust, RS384", signed="RS384")
STORED_RSA = replace(STORED, name="ours, + stored, RS384", signed="RS384")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One way under one load."""

    way: Way
    size: str
    connections: int
    rate: float | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """One round of one cell; CPU time is per request that came in, warm-up included."""

    figures: Figures
    cpu_web: float
    cpu_workers: float


def cells() -> list[Cell]:
    """Peer and ours take turns; the same order each round, turned round every second time."""
    fixed = [
        Cell(way=way, size=SMALL, connections=count) for count in (32, 100) for way in (PEER_STATIC, STATIC, TRUSTED)
    ]
    scored = [
        Cell(way=way, size=size, connections=count)
        for size in (SMALL, LARGE)
        for count in (32, 100)
        for way in (PEER, STORED, QUEUED)
    ]
    rsa = [Cell(way=way, size=SMALL, connections=count) for count in (32, 100) for way in (TRUSTED_RSA, STORED_RSA)]
    arrivals = [Cell(way=way, size=SMALL, connections=32, rate=100.0) for way in (PEER, QUEUED)]
    return [*fixed, *scored, *rsa, *arrivals]


@dataclass(kw_only=True)
class Rounds:
    """Plays cells on a stage; knows which patients were used and how many tokens a cell needs."""

    stage: Stage
    seconds: float
    next_patient: int = 0
    results: dict[Cell, list[Result]] = field(default_factory=dict)

    def play(self, cell: Cell) -> Result:
        place = self._place(cell.way)
        found, before = self._load(cell), (place.cpu_seconds(), self._workers_cpu())
        figures = load.send(found)
        if cell.way.fresh:
            self.next_patient += figures.total + cell.connections
            wait_until_settled()
        requests = max(1, figures.total)
        result = Result(
            figures=figures,
            cpu_web=(place.cpu_seconds() - before[0]) * 1000 / requests,
            cpu_workers=(self._workers_cpu() - before[1]) * 1000 / requests,
        )
        self.results.setdefault(cell, []).append(result)
        return result

    def warm_up(self) -> None:
        """Each way once, unrecorded: a process that has just started imports at its first requests."""
        for way in (PEER_STATIC, PEER, STATIC, TRUSTED, STORED, QUEUED):
            self.play(Cell(way=way, size=SMALL, connections=32))
        self.results.clear()

    def _place(self, way: Way) -> Place:
        if not way.peer:
            return self.stage.ours
        return self.stage.peer_static if way.fixed else self.stage.peer

    def _workers_cpu(self) -> float:
        return sum(worker.cpu_seconds() for worker in self.stage.workers)

    def _load(self, cell: Cell) -> Load:
        place = self._place(cell.way)
        found = Load(
            port=place.port,
            path=cell.way.path,
            body=body(cell.size),
            connections=cell.connections,
            seconds=self.seconds * (1 if cell.rate is None and cell.size == SMALL else 2),
            rate=cell.rate,
            first_patient=self.next_patient if cell.way.fresh else None,
        )
        if not cell.way.signed:
            return found
        needed = int(self._rate(cell) * (found.seconds + found.warm)) + cell.connections
        found.tokens.extend(
            self.stage.ehr.tokens(needed, audience=place.url + cell.way.path, algorithm=cell.way.signed)
        )
        return found

    def _rate(self, cell: Cell) -> float:
        if cell.rate is not None:
            return cell.rate
        before = self.results.get(cell)
        if not before:
            return _FIRST_GUESS[cell.size]
        return max(result.figures.total / result.figures.seconds for result in before) * _MARGIN


def wait_until_settled() -> None:
    """The next cell must not pay for this one's queue."""
    from cds.models import Assessment

    unfinished = Assessment.objects.filter(status=Assessment.Status.QUEUED)
    deadline = time.monotonic() + _DRAIN_SECONDS
    while unfinished.exists():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{unfinished.count()} assessments were never settled")
        time.sleep(0.05)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A cell's medians over the rounds; what went wrong is summed."""

    per_second: float
    p50: float
    p95: float
    p99: float
    cpu_web: float
    cpu_workers: float
    pending: int
    failed: int

    @classmethod
    def of(cls, results: Iterable[Result]) -> Row:
        all_of = list(results)
        figures = [one.figures for one in all_of]
        return cls(
            per_second=statistics.median(one.per_second for one in figures),
            p50=statistics.median(one.percentile(50) for one in figures),
            p95=statistics.median(one.percentile(95) for one in figures),
            p99=statistics.median(one.percentile(99) for one in figures),
            cpu_web=statistics.median(one.cpu_web for one in all_of),
            cpu_workers=statistics.median(one.cpu_workers for one in all_of),
            pending=sum(one.pending for one in figures),
            failed=sum(one.failed for one in figures),
        )
