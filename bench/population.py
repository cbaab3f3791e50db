"""A whole population: from an export's bytes to features against other readers, end to end, and explanations a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.exported import export
from bench.places import own_database
from bench.readers import READERS
from bench.stage import HOME

ROOT = Path(__file__).resolve().parents[1]
HEADING = "\n## A whole population\n"
SIZE = 1_000_000_000  # bytes of Observations
WANTED_RATIO, WANTED_MEGABYTES = 3.0, 500
_WORDS = {
    "simdjson": "the floor: one thread parses each line (pysimdjson), and nothing else",
    "orjson": "a loop with orjson that keeps the newest values",
    "polars": "polars, lazily and streaming, the newest values",
    "ours": "ours: DuckDB and the intake, the hook's fold in two processes, the model's features",
}

Found = Mapping[str, Any]


def measure(*, rounds: int, size: int = SIZE) -> Found:
    """Of each reader the least disturbed of several rounds, taking turns; all must find the same values."""
    folder = HOME / f"export-{size}"
    patients = export(folder, size=size)
    runs: dict[str, list[Found]] = {way: [] for way in READERS}
    for _ in range(rounds):
        for way, found in runs.items():
            found.append(_run(way, folder))
            print(way, found[-1], flush=True)
    digests = {run["digest"] for found in runs.values() for run in found if run["digest"]}
    if len(digests) != 1:
        raise SystemExit("the readers do not find the same values")
    with own_database() as database:
        whole = _run("end-to-end", folder, DATABASE_URL=database)
    print("end-to-end", whole, flush=True)
    best = {way: min(found, key=lambda run: run["seconds"]) for way, found in runs.items()}
    load = os.getloadavg()[2]
    told = {"patients": patients, "size": size, "rounds": rounds, "load": load}
    return {**told, "readers": best, "whole": whole, "explain": _run("explain", folder)}


def _run(way: str, folder: Path, **more: str) -> Any:
    quiet = {"DJANGO_SETTINGS_MODULE": "config.settings", "BEDSIDE_HOME": str(HOME / "home"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "bench.readers", way, str(folder)]
    run = subprocess.run(command, env={**os.environ, **quiet, **more}, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return json.loads(run.stdout)


def rewrite(page: Path, found: Found) -> None:
    """This section of the page alone, which is its last."""
    text = page.read_text(encoding="utf-8").partition(HEADING)[0].rstrip("\n")
    page.write_text("\n".join([text, *section(found)]) + "\n", encoding="utf-8")


def section(found: Found) -> Iterator[str]:
    """What it says comes from this run alone."""
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("duckdb", "msgspec", "orjson", "polars", "pysimdjson", "shap")
    )
    yield HEADING
    yield (
        f"{found['size'] / 1e9:g} GB of Observations of {found['patients']:,} invented patients (bench/exported.py), each "
        f"way alone in a process, the least disturbed of {found['rounds']} rounds, taking turns. All readers find the same "
        "newest values; ours also keeps sources, units and what cannot be used, accounts for every line, and makes the "
        f"model's features. {datetime.now(UTC):%Y-%m-%d}; {packages}; load of the machine over the last quarter of an "
        f"hour: {found['load']:.1f} (on {os.cpu_count()} cores; above that, seconds say more of the machine than of the way).\n"
    )
    floor = found["readers"]["simdjson"]
    yield "| way | seconds | against the floor | processor seconds | against the floor | resident MB |"
    yield "|---|---:|---:|---:|---:|---:|"
    for way, run in found["readers"].items():
        seconds, processor = run["seconds"], run["processor"]
        yield (
            f"| {_WORDS[way]} | {seconds:.2f} | {seconds / floor['seconds']:.1f}x | {processor:.2f} "
            f"| {processor / floor['processor']:.1f}x | {run['megabytes']:.0f} |"
        )
    ours = found["readers"]["ours"]
    yield from _aims(ours["seconds"] / floor["seconds"], ours["megabytes"])
    yield from _after(found["whole"], found["explain"])


def _aims(ratio: float, megabytes: float) -> Iterator[str]:
    yield ""
    for text, wanted, measured, met in (
        ("against the floor", f"<= {WANTED_RATIO:g}x", f"{ratio:.1f}x", ratio <= WANTED_RATIO),
        ("resident", f"< {WANTED_MEGABYTES} MB", f"{megabytes:.0f} MB", megabytes < WANTED_MEGABYTES),
    ):
        yield f"* {'Met' if met else '**Missed**'}: ours {text} (wanted {wanted}, measured {measured})."


def _after(whole: Found, explain: Found) -> Iterator[str]:
    speed, gain = whole["patients"] / whole["seconds"], explain["ours"] / explain["shap"]
    yield (
        f"* End to end, with the reasons of each score and every answer in PostgreSQL: {speed:,.0f} patients a second in two "
        f"processes ({whole['patients']:,}, of whom {whole['scored']:,} scored; {whole['processor']:.0f} processor seconds), "
        f"{whole['megabytes']:.0f} MB resident."
    )
    yield (
        f"* Explained with exact SHAP values in one thread: {explain['ours']:,.0f} rows a second, against "
        f"{explain['shap']:,.0f} by shap.TreeExplainer: {gain:.1f}x. Both find the same."
    )
