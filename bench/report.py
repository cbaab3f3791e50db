"""Writes docs/benchmarks.md: the tables, the aims, and a plain sentence where one is missed."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.bodies import LARGE, OBSERVATIONS, SMALL
from bench.environments import HEALTHCHAIN
from bench.rounds import PEER, PEER_STATIC, QUEUED, STATIC, STORED, STORED_RSA, TRUSTED, TRUSTED_RSA, Cell, Row, Way
from bench.stage import WEB_PROCESSES, WEB_THREADS, Workers

Rows = Mapping[Cell, Row]
COUNTS, RATE = (32, 100), 100.0


@dataclass(frozen=True, kw_only=True)
class Aim:
    """One figure that we want, and what it was."""

    text: str
    wanted: str
    measured: str
    met: bool


def write(folder: Path, rows: Rows, micro: Mapping[str, Any], *, method: str, workers: Workers) -> Path:
    """The page; what it says comes from this run alone."""
    path = folder / "docs" / "benchmarks.md"
    path.write_text("\n".join(_page(rows, micro, method=method, workers=workers)) + "\n", encoding="utf-8")
    return path


def _page(rows: Rows, micro: Mapping[str, Any], *, method: str, workers: Workers) -> Iterator[str]:
    yield "# Benchmarks\n"
    yield "Written by `make bench`; do not edit by hand. Absolute figures depend on the machine, the ratios less so.\n"
    yield from _machine(method, workers)
    yield "\n## The aims\n"
    found = list(aims(rows, micro))
    yield "| aim | wanted | measured | met |\n|---|---:|---:|---|"
    yield from (f"| {aim.text} | {aim.wanted} | {aim.measured} | {'yes' if aim.met else '**no**'} |" for aim in found)
    yield ""
    missed = [f"Missed: {aim.text} (wanted {aim.wanted}, measured {aim.measured})." for aim in found if not aim.met]
    yield from missed or ["Every aim was met in this run."]
    yield "\n## What each layer costs, 8 KB of prefetch\n"
    yield (
        "A fixed card through the same framework; then the caller's JWT is checked (ES384, each token good once); then "
        "the facts are read and an assessment that is stored already is answered, with audit, issued card and call log "
        "written; then each patient is new and a worker scores. HealthChain checks no caller, stores nothing and queues "
        "nothing. The rows of RS384 are the same for a caller that signs with RSA of 2,048 bits, which is quicker to "
        "check; no aim counts them.\n"
    )
    layers = (PEER_STATIC, PEER, STATIC, TRUSTED, TRUSTED_RSA, STORED, STORED_RSA, QUEUED)
    yield from _table(rows, [Cell(way=way, size=SMALL, connections=count) for count in COUNTS for way in layers])
    yield f"\n## {LARGE} of prefetch ({OBSERVATIONS[LARGE]} Observations)\n"
    scored = (PEER, STORED, QUEUED)
    yield from _table(rows, [Cell(way=way, size=LARGE, connections=count) for count in COUNTS for way in scored])
    yield "\n## 100 requests a second at a constant arrival, 8 KB\n"
    yield "Times count from when a request was due, whether or not a connection was free.\n"
    yield from _table(rows, [Cell(way=way, size=SMALL, connections=32, rate=RATE) for way in (PEER, QUEUED)])
    yield from _parts(micro)


def _machine(method: str, workers: Workers) -> Iterator[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in ("django", "granian", "celery", "xgboost-cpu"))
    yield f"* {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({_processor()}), Python {platform.python_version()}"
    yield f"* Ours: {packages}; {WEB_PROCESSES} web processes of {WEB_THREADS} threads, {workers}; PostgreSQL and Redis"
    yield f"* Peer: healthchain {HEALTHCHAIN}, uvicorn with uvloop and httptools, {WEB_PROCESSES} processes, threads pinned to 1"
    yield f"* {method} The load comes from one more process on the same machine."
    yield "* CPU: of our own processes (web + workers), without PostgreSQL and Redis. Pending: answered in time with a"
    yield '  card that says "still checking"; neither counted in requests/s nor in the times.'
    yield "* Errors: another status than 200, no card, or no answer five seconds after the end of the round."


def _processor() -> str:
    """The kind of processor, as Linux names it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def aims(rows: Rows, micro: Mapping[str, Any]) -> Iterator[Aim]:
    """What was promised beside what was found; a ratio is the worse of its two loads."""
    arriving = rows[Cell(way=QUEUED, size=SMALL, connections=32, rate=RATE)]
    yield Aim(
        text="100 arrivals/s at 8 KB, through the queue: errors and pending answers",
        wanted="0",
        measured=f"{arriving.failed} errors, {arriving.pending} pending",
        met=arriving.failed + arriving.pending == 0,
    )
    yield Aim(
        text="100 arrivals/s at 8 KB, through the queue: p95",
        wanted="< 200 ms",
        measured=f"{arriving.p95:.0f} ms",
        met=arriving.p95 < 200,
    )
    yield _ratio("fixed card against HealthChain's", 2.0, rows, STATIC, PEER_STATIC, sizes=(SMALL,))
    for size in (SMALL, LARGE):
        yield _ratio(
            f"from the fingerprint against HealthChain's scoring, {size}", 1.0, rows, STORED, PEER, sizes=(size,)
        )
        yield _ratio(f"through the queue against HealthChain's scoring, {size}", 0.5, rows, QUEUED, PEER, sizes=(size,))
    for size in (SMALL, LARGE):
        share = micro[size]["ours"] / micro[size]["walking"]
        yield Aim(
            text=f"features from prefetch against orjson and walking, time, {size}",
            wanted="<= 0.4",
            measured=f"{share:.2f}",
            met=share <= 0.4,
        )


def _ratio(text: str, wanted: float, rows: Rows, way: Way, peer: Way, *, sizes: tuple[str, ...]) -> Aim:
    loads = [(size, count) for size in sizes for count in COUNTS]
    found = min(
        rows[Cell(way=way, size=size, connections=count)].per_second
        / rows[Cell(way=peer, size=size, connections=count)].per_second
        for size, count in loads
    )
    return Aim(text=f"{text}, requests/s", wanted=f">= {wanted:g}x", measured=f"{found:.2f}x", met=found >= wanted)


def _table(rows: Rows, cells: list[Cell]) -> Iterator[str]:
    yield "| | load | requests/s | p50 ms | p95 ms | p99 ms | CPU ms web + workers | pending | errors |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    for cell in cells:
        row = rows[cell]
        load = f"{cell.rate:.0f} arrivals/s" if cell.rate else f"{cell.connections} connections"
        cpu = f"{row.cpu_web:.2f}" + ("" if cell.way.peer or not cell.way.fresh else f" + {row.cpu_workers:.2f}")
        yield (
            f"| {cell.way.name} | {load} | {row.per_second:,.0f} | {row.p50:.1f} | {row.p95:.1f} | {row.p99:.1f} "
            f"| {cpu} | {row.pending} | {row.failed} |"
        )


def _parts(micro: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Small parts, alone in one process\n"
    yield (
        "From the request's bytes to the model's row: ours decodes, reads every need of the service, keeps each fact "
        "with its source and notes what cannot be used; the walk decodes with orjson and keeps the newest values only "
        "(bench/walk.py). Both rows are compared before they are timed. All Observations are ones that were asked for.\n"
    )
    yield "| | 8 KB, ms | 317 KB, ms |\n|---|---:|---:|"
    for name, key in (
        ("ours: prefetch to features", "ours"),
        ("of which reading the FHIR JSON", "reading"),
        ("orjson and walking", "walking"),
    ):
        yield f"| {name} | {micro[SMALL][key]:.3f} | {micro[LARGE][key]:.3f} |"
    yield f"\nOne row scored and explained with exact SHAP values: {micro['explain']:.2f} ms."
    yield f"The whole of the service's decision on the small chart, cards not included: {micro['assess']:.2f} ms."
