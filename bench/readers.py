"""Ways to get from an export's Observations to each patient's newest values, and what comes after, each alone in a process.

`python -m bench.readers WAY FOLDER` prints JSON: seconds, seconds of processor time, resident megabytes, and of the readers a
digest of what they found, which must be the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.exported import ASKED, PRESSURES
from bench.processes import cpu_seconds, family

if TYPE_CHECKING:
    from cds.crew import Crew

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CODES = {code for code, *_ in (*ASKED, *PRESSURES)}
ROWS = 20_000  # explained at once
PROCESSES, BLOCK = 2, 256  # as a run has them unless it is told otherwise
_BUFFER = 1 << 20

Newest = dict[tuple[str, str], float]  # patient and code


def parse_only(folder: Path) -> Newest:
    """The floor: one thread of simdjson parses each line, and nothing is done with it."""
    import simdjson

    parser = simdjson.Parser()
    for line in _lines(folder):
        parser.parse(line)
    return {}


def orjson_loop(folder: Path) -> Newest:
    """What a script would do."""
    import orjson

    found: dict[tuple[str, str], tuple[str, float]] = {}
    for line in _lines(folder):
        one = orjson.loads(line)
        patient, day = one["subject"]["reference"], one["effectiveDateTime"]
        for part in (one, *one.get("component", ())):
            code = part["code"]["coding"][0]["code"]
            if code in CODES and "valueQuantity" in part:
                key, value = (patient, code), (day, part["valueQuantity"]["value"])
                found[key] = max(found.get(key, value), value)
    return {key: value for key, (_, value) in found.items()}


def polars_query(folder: Path) -> Newest:
    """Polars' own way: lazily, in columns, on all threads."""
    import polars as pl

    coding = pl.Struct({"coding": pl.List(pl.Struct({"code": pl.String}))})
    quantity = pl.Struct({"value": pl.Float64})
    part = pl.Struct({"code": coding, "valueQuantity": quantity})
    schema = {
        "subject": pl.Struct({"reference": pl.String}),
        "code": coding,
        "effectiveDateTime": pl.String,
        "valueQuantity": quantity,
        "component": pl.List(part),
    }
    rows = pl.scan_ndjson(folder / "Observation.ndjson", schema=schema).select(
        pl.col("subject").struct.field("reference").alias("patient"),
        pl.col("effectiveDateTime").alias("day"),
        pl.struct("code", "valueQuantity").alias("whole"),
        "component",
    )
    whole = rows.select("patient", "day", pl.col("whole").alias("part"))
    parts = rows.filter(pl.col("component").list.len() > 0).explode("component")
    parts = parts.select("patient", "day", pl.col("component").alias("part"))
    code = pl.col("part").struct.field("code").struct.field("coding").list.first().struct.field("code")
    value = pl.col("part").struct.field("valueQuantity").struct.field("value")
    each = pl.concat([whole, parts]).select("patient", "day", code.alias("code"), value.alias("value"))
    wanted = each.filter(pl.col("code").is_in(list(CODES)) & pl.col("value").is_not_null())
    newest = wanted.group_by("patient", "code").agg(pl.col("value").sort_by("day").last())
    return {(patient, code): value for patient, code, value in newest.collect(engine="streaming").iter_rows()}


def ours(crew: Crew, folder: Path) -> Newest:
    """The intake as a run has it, then the hook's fold and the model's row of each patient, in several processes."""
    import msgspec

    from cds import registry
    from cds.models import PopulationRun
    from cds.population.intake import Intake
    from cds.population.shares import Charts, share

    found: Newest = {}
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        needs = registry.get("diabetes-risk").needs
        intake = Intake(PopulationRun(), needs, folder=folder, spool=Path(place) / "records")
        for _ in intake:
            pass
        charts = Charts(folder=intake.spool.folder, contents=intake.settle(), after=0, size=BLOCK)
        for told in share(crew, charts, here=_newest, there=_newest, hear=bytes):
            found |= {(patient, code): value for patient, code, value in msgspec.msgpack.decode(told)}
    return found


def _newest(charts: list[Any]) -> bytes:
    """Of a block; each patient's row of the model is made, too."""
    import msgspec

    from cds import registry
    from cds.fhir.read import Reader
    from cds.gather import assemble
    from cds.services.diabetes.estimate import inputs

    needs, found = registry.get("diabetes-risk").needs, []
    for chart in charts:
        reader = Reader(patient_id=chart.id, zone=UTC, names=frozenset(chart.names))
        context = assemble(needs, chart.readings(needs, reader), patient_id=chart.id, now=NOW)
        inputs(context)
        newest = (facts[0] for facts in context.observations.values())
        found += [(f"Patient/{chart.id}", fact.code.code, fact.reported.value) for fact in newest]
    return msgspec.msgpack.encode(found)


def end_to_end(folder: Path) -> int:
    """A run, as a worker does it: read, fold, score with reasons, store. Patients."""
    from django.core.management import call_command

    from cds import registry
    from cds.population import open_run, sweep
    from scoring.shipped import shipped_model

    call_command("migrate", verbosity=0)
    shipped_model("diabetes-risk")  # imports XGBoost, as a worker has when it begins
    began = _Clock()
    run = open_run(registry.get("diabetes-risk"), detail=str(folder), as_of=NOW)
    for _ in sweep(run, folder):
        pass
    if run.state != run.State.DONE:
        raise SystemExit(f"the run is {run.state}: {run.error}")
    print(json.dumps({**began.stopped(), "megabytes": _megabytes(), "patients": run.done, "scored": run.scored}))
    return run.done


def explain(_: Path) -> None:
    """Exact contributions of rows at once: XGBoost's own against the reference implementation, one thread each."""
    import numpy as np
    import shap

    from scoring.shipped import shipped_model

    model = shipped_model("diabetes-risk")
    rows = _rows(len(model.features))
    model.score_many(rows[:10])
    began = _Clock()
    scores = model.score_many(rows)
    our_seconds = began.stopped()["seconds"]
    explainer = shap.TreeExplainer(model.booster)
    few = rows[: ROWS // 20]
    explainer.shap_values(few[:10])
    began = _Clock()
    values = explainer.shap_values(few)
    their_seconds = began.stopped()["seconds"]
    slope = model.facts.get("calibration", {"slope": 1.0})["slope"]
    same = np.allclose([score.contributions for score in scores[: len(few)]], values * slope, atol=1e-3)
    if not same:
        raise SystemExit("the two do not explain alike")
    print(json.dumps({"ours": len(rows) / our_seconds, "shap": len(few) / their_seconds}))


def _rows(width: int) -> Any:
    import numpy as np

    rows = np.random.default_rng(1).uniform(20, 120, size=(ROWS, width))
    rows[np.random.default_rng(2).random(rows.shape) < 0.2] = np.nan
    return rows


class _Clock:
    """From now on, of this process and those that it starts or has started."""

    def __init__(self) -> None:
        self.wall, self.processor = time.perf_counter(), _processor()

    def stopped(self) -> dict[str, float]:
        return {"seconds": time.perf_counter() - self.wall, "processor": _processor() - self.processor}


def _megabytes() -> float:
    """The peak of this process, and of those that it started as many times the largest, once they have ended.

    What they share counts several times.
    """
    own, largest = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own + largest * (PROCESSES - 1)


def _processor() -> float:
    """Seconds, of those that have ended, too."""
    return sum(os.times()[:4]) + sum(map(cpu_seconds, family(os.getpid())[1:]))


def _lines(folder: Path) -> Iterator[bytes]:
    with (folder / "Observation.ndjson").open("rb", buffering=_BUFFER) as stream:
        yield from stream


READERS = ("simdjson", "orjson", "polars", "ours")


@contextmanager
def _ready(way: str) -> Iterator[Callable[[Path], Newest]]:
    """With all that it imports, in its other processes too, before the clock runs."""
    if way != "ours":
        yield {"simdjson": parse_only, "orjson": orjson_loop, "polars": polars_query}[way]
        return
    from cds.crew import Crew

    with Crew(PROCESSES - 1) as crew:
        crew.ready()
        yield partial(ours, crew)


def main(way: str, folder: Path) -> None:
    import django

    if way not in {"simdjson", "orjson", "polars"}:
        django.setup()
    if way not in READERS:
        {"end-to-end": end_to_end, "explain": explain}[way](folder)
        return
    with _ready(way) as read:
        began = _Clock()
        found = read(folder)
        stopped = began.stopped()
    digest = hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest() if found else ""
    print(json.dumps({**stopped, "megabytes": _megabytes(), "digest": digest}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
