"""`python -m bench`: sets up, plays the rounds, writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time

import requests

from bench import population
from bench.bodies import SMALL, body
from bench.report import write
from bench.rounds import PEER, Cell, Rounds, Row, cells
from bench.stage import ROOT, Stage, Workers, stage


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that everything is taken down
    started = time.monotonic()
    if options.population:
        population.rewrite(ROOT / "docs" / "benchmarks.md", population.measure(rounds=options.rounds))
        return
    workers = Workers.parse(options.workers)
    with stage(workers) as on:
        micro = _micro(on, seconds=0.5 if options.quick else 3.0)
        _compare(on, probability=micro["probability"])
        rounds = Rounds(stage=on, seconds=options.seconds)
        rounds.warm_up()
        for number in range(1 if options.quick else options.rounds):
            _round(rounds, number, [cell for cell in cells() if re.search(options.only, cell.way.name)])
    rows = {cell: Row.of(results) for cell, results in rounds.results.items()}
    print(f"{time.monotonic() - started:.0f} s in all")
    if not options.quick and not options.only:
        times = f"{options.seconds:g} s (317 KB and arrivals: twice as long)"
        method = f"Medians of {options.rounds} rounds of {times}, taking turns."
        path = write(ROOT, rows, micro, method=method, workers=workers)
        population.rewrite(path, population.measure(rounds=options.rounds))
        print(f"written: {path.relative_to(ROOT)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, nothing written")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="the measured time of one cell in one round")
    parser.add_argument("--workers", default="2x2", help="Celery processes x threads")
    parser.add_argument("--only", default="", help="a pattern that the names must match; nothing is written")
    parser.add_argument("--population", action="store_true", help="that section alone; the others stay as they are")
    return parser.parse_args()


def _micro(on: Stage, *, seconds: float) -> dict[str, float]:
    environment = {**on.environment, "PYTHONPATH": os.pathsep.join([str(on.orjson), str(ROOT)])}
    run = subprocess.run(
        [sys.executable, "-m", "bench.micro", str(seconds)],
        env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    print("micro", run.stdout.decode().strip())
    return json.loads(run.stdout)


def _compare(on: Stage, *, probability: float) -> None:
    """The peer does the same job: the same patient has the same probability."""
    headers = {"Content-Type": "application/json"}
    answer = requests.post(on.peer.url + PEER.path, data=body(SMALL).text(), headers=headers, timeout=10).text
    theirs = re.search(r"Probability ([0-9.]+)\.", answer)
    if theirs is None or abs(float(theirs[1]) - probability) > 2e-6:
        raise SystemExit(f"the peer does not find {probability:.6f}: {answer[:300]}")


def _round(rounds: Rounds, number: int, order: list[Cell]) -> None:
    for cell in order if number % 2 == 0 else reversed(order):
        found = rounds.play(cell)
        figures, load = found.figures, f"{cell.rate:.0f}/s" if cell.rate else f"{cell.connections}"
        print(
            f"{number + 1}  {cell.way.name:26}{cell.size:>8}{load:>7}  {figures.per_second:8.1f}/s"
            f"  p50 {figures.percentile(50):7.1f}  p95 {figures.percentile(95):7.1f}  p99 {figures.percentile(99):7.1f} ms"
            f"  CPU {found.cpu_web:6.2f} + {found.cpu_workers:5.2f} ms"
            f"  pending {figures.pending}  failed {figures.failed}",
            flush=True,
        )


if __name__ == "__main__":
    main()
