"""What runs on Spark's executors: files to their owners' lines, one owner's lines to an answer. No database is asked here.

Spark imports this module before Django is set up, so whatever needs it is imported where it is used.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

    from cds.fhir.files import Chart
    from cds.population.fold import Asking
    from cds.population.told import Told

OWNED = "owner string, kind string, id string, file long, line long, changed string, raw binary"
TOLD = "told binary"
NOBODY = ""  # the owner of what is no entry: of `kind` a flaw's reason, or COUNT, with the lines of a file as `line`
COUNT = "#"

Rows = Iterator[dict[str, Any]]


class Flaw(msgspec.Struct, frozen=True, kw_only=True, tag="flaw"):
    """To the driver: a line that is not used after all."""

    file: int
    line: int
    reason: str


def owned(
    batches: Iterator[pa.RecordBatch], *, wanted: tuple[str, ...], types: frozenset[str], gone: frozenset[str]
) -> Iterator[pa.RecordBatch]:
    """For `mapInArrow`, of files by number and path: every line that may matter, as the single machine reads it.

    `wanted`: the fields of a Wanted, which could not be unpickled before Django is set up.
    """
    django.setup()
    from cds.population.lines import Lines, Wanted
    from cds.population.spool import Entry

    for batch in batches:
        for file in batch.to_pylist():
            with tempfile.TemporaryDirectory() as folder:
                lines = Lines(Path(file["path"]), Wanted(*wanted), folder=Path(folder))
                rows = _owned(lines, file["file"], types, gone)
                while some := list(islice(rows, 1000)):
                    yield _batch(OWNED, some)
                yield _batch(OWNED, [Entry(NOBODY, COUNT, "", file["file"], lines.count, "", b"")._asdict()])


def _owned(lines: Any, file: int, types: frozenset[str], gone: frozenset[str]) -> Rows:
    from cds.population.intake import entry_of
    from cds.population.spool import Entry

    for line in lines:
        found = entry_of(line, file, types, gone)
        if isinstance(found, str):
            yield Entry(NOBODY, found, "", file, line.number, "", b"")._asdict()
        elif found is not None:
            yield found._asdict()


def answered(batches: Iterator[pa.RecordBatch], *, task: bytes, block: int) -> Iterator[pa.RecordBatch]:
    """For `mapInArrow`, of lines sorted by owner, file and line. `task`: the driver's Asking, pickled."""
    django.setup()
    from cds.population.told import told

    asking: Asking = pickle.loads(task)  # noqa: S301 -- our own driver made it
    flaws: list[Flaw] = []
    rows = (row for batch in batches for row in batch.to_pylist())
    waiting = _charts(rows, asking, flaws)
    while charts := list(islice(waiting, block)):
        yield _batch(TOLD, [_packed(told(answer, asking)) for answer in asking.answers(charts)])
    yield _batch(TOLD, [_packed(flaw) for flaw in flaws])


def _charts(rows: Rows, asking: Asking, flaws: list[Flaw]) -> Iterator[Chart]:
    """One for each patient who is here and has no answer yet."""
    from cds.population.intake import NO_SUCH_PATIENT, overtaken
    from cds.population.spool import TOO_LARGE, Entry, charts_of, newest, older

    for owner, group in groupby(rows, key=lambda row: str(row["owner"])):
        entries = [Entry(**row) for row in group]
        here = any(entry.kind == "Patient" for entry in entries)
        wrong = older(entries) if here else entries
        for one in wrong:
            reason = overtaken(one) if here else NO_SUCH_PATIENT
            flaws.append(Flaw(file=one.file, line=one.line, reason=reason))
        if here and asking.pseudonym(owner) not in asking.answered:
            large = sum(len(entry.packed()) for entry in entries) > TOO_LARGE
            yield from charts_of(newest(entries), frozenset({owner} if large else ()))


def _packed(told: Told | Flaw) -> dict[str, bytes]:
    return {"told": msgspec.msgpack.encode(told)}


def _batch(schema: str, rows: list[Any]) -> pa.RecordBatch:
    import pyarrow as pa

    kinds = {"string": pa.string(), "binary": pa.binary(), "long": pa.int64()}
    columns = [part.split() for part in schema.split(", ")]
    return pa.RecordBatch.from_pylist(rows, schema=pa.schema([(name, kinds[kind]) for name, kind in columns]))
