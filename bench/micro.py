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
    from scoring.shipped import shipped_model

    service, model = registered(), shipped_model("diabetes-risk")
    found: dict[str, Any] = {size: both_ways(service, body(size).text(), seconds=seconds) for size in (SMALL, LARGE)}
    row = walked(body(LARGE).text())
    found["probability"] = model.score(row).probability
    facts = gathered(service, body(SMALL).text())
    found["explain"] = milliseconds(lambda: model.score(row), seconds=seconds)
    found["assess"] = milliseconds(lambda: service.assess(facts, model=model, threshold=0.1), seconds=seconds)
    return found


def registered() -> Any:
    from cds import registry

    return registry.get("diabetes-risk")


def both_ways(service: Any, text: bytes, *, seconds: float) -> dict[str, float]:
    """Milliseconds of each, after both have found the same features."""
    from cds.services.diabetes.estimate import inputs

    if (row := list(inputs(gathered(service, text)).row)) != walked(text):
        raise SystemExit(f"the two ways do not find the same features: {row} and {walked(text)}")
    return {
        "bytes": len(text),
        "ours": milliseconds(lambda: inputs(gathered(service, text)).row, seconds=seconds),
        "reading": milliseconds(lambda: read_only(service, text), seconds=seconds),
        "walking": milliseconds(lambda: walked(text), seconds=seconds),
    }


def gathered(service: Any, text: bytes) -> Any:
    from cds.gather import gather
    from hooks.requests import parse

    prefetch = parse(text, service).prefetch
    return gather(service, patient_id=PATIENT, now=datetime.now(UTC), prefetch=prefetch)


def read_only(service: Any, text: bytes) -> None:
    from cds.fhir.read import Reader
    from hooks.requests import parse

    prefetch, reader = parse(text, service).prefetch or {}, Reader(patient_id=PATIENT, zone=UTC)
    for need in service.needs:
        reader.read(need, prefetch[need.key])


def walked(text: bytes) -> list[float]:
    row = walk.features(orjson.loads(text)["prefetch"])
    assert row is not None
    return row


if __name__ == "__main__":
    print(json.dumps(main(float(sys.argv[1]))))
