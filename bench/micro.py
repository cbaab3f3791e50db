"""Small parts, timed alone in one process: prefetch to features against orjson and walking, and one explained row.

Run as a process of its own with orjson on PYTHONPATH; prints JSON.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import django
import orjson

from bench import walk
from bench.bodies import LARGE, PATIENT, SMALL, body

_BATCHES = 15


def milliseconds(work: Callable[[], object], *, seconds: float) -> float:
    """The median of several batches, after a first one to warm up."""
    started = time.perf_counter()
    work()
    times = max(1, int(seconds / _BATCHES / max(time.perf_counter() - started, 1e-6)))
    return statistics.median(_batch(work, times) for _ in range(_BATCHES + 1)) * 1000


def _batch(work: Callable[[], object], times: int) -> float:
    gc.collect()
    started = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - started) / times


def main(seconds: float) -> dict[str, Any]:
    django.setup()
    from cds import registry
    from cds.fhir.read import Reader
    from cds.gather import gather
    from cds.services.diabetes.estimate import inputs
    from hooks.requests import parse
    from scoring.shipped import shipped_model

    service, model = registry.get("diabetes-risk"), shipped_model("diabetes-risk")

    def context(text: bytes) -> Any:
        request = parse(text, service)
        return gather(service, patient_id=PATIENT, now=datetime.now(UTC), prefetch=request.prefetch)

    def read_only(text: bytes) -> None:
        prefetch, reader = parse(text, service).prefetch or {}, Reader(patient_id=PATIENT, zone=UTC)
        for need in service.needs:
            reader.read(need, prefetch[need.key])

    def walked(text: bytes) -> list[float]:
        row = walk.features(orjson.loads(text)["prefetch"])
        assert row is not None
        return row

    found: dict[str, Any] = {}
    for size in (SMALL, LARGE):
        text = body(size).text()
        row = list(inputs(context(text)).row)
        if row != walked(text):
            raise SystemExit(f"the two ways do not find the same features: {row} and {walked(text)}")
        found[size] = {
            "bytes": len(text),
            "ours": milliseconds(lambda text=text: inputs(context(text)).row, seconds=seconds),
            "reading": milliseconds(lambda text=text: read_only(text), seconds=seconds),
            "walking": milliseconds(lambda text=text: walked(text), seconds=seconds),
        }
        found["probability"] = model.score(row).probability
    facts = context(body(SMALL).text())
    found["explain"] = milliseconds(lambda: model.score(row), seconds=seconds)
    found["assess"] = milliseconds(lambda: service.assess(facts, model=model, threshold=0.1), seconds=seconds)
    return found


if __name__ == "__main__":
    print(json.dumps(main(float(sys.argv[1]))))
