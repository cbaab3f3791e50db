"""What an EHR says that it has deleted: transaction Bundles of DELETE requests (Bulk Data, "Response - Complete Status")."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from cds.bulk.accounts import lines_of
from cds.fhir.decoding import UNREADABLE
from cds.fhir.said import relative
from cds.models import ExportFile, PopulationRun

NOT_SO = "not a Bundle of deletions"


class _Request(Struct, frozen=True):
    method: str = ""
    url: str = ""


class _Entry(Struct):
    request: _Request = _Request()


class _Bundle(Struct):
    entry: list[_Entry] = []


def deleted_by(line: bytes) -> frozenset[str]:
    """Type/id of each; empty where the line is no such Bundle."""
    try:
        entries = msgspec.json.decode(line, type=_Bundle).entry
    except UNREADABLE:
        return frozenset()
    return frozenset(relative(one.request.url) for one in entries if one.request.method == "DELETE")


def deleted(run: PopulationRun) -> frozenset[str]:
    """What must not be read in the run's folder: it is applied after the output.

    Of a run about who changed, the folder was read later than that, and what stands there counts.
    """
    if run.since is not None:
        return frozenset()
    return frozenset().union(*map(deleted_by, _lines(run)))


def _lines(run: PopulationRun) -> Iterator[bytes]:
    for file in sorted((run.spool / ExportFile.Part.DELETED).glob("*.ndjson")):
        yield from lines_of(file)
