"""Clinicians' lists of patients in a run's folder: files named after List, read once, before anybody is asked about.

A List belongs to no patient, so it is not sorted into the spool. An EHR's export by Group or Patient has none.
"""

from __future__ import annotations

import gzip
import logging
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from cds.errors import BadInput
from cds.fhir.decoding import UNREADABLE
from cds.fhir.files import head_of
from cds.fhir.newest import changed_at, newest
from cds.fhir.panel import Panel, PatientList, panels, read_list
from cds.models import PopulationResult, PopulationRun
from cds.population.lines import ENDINGS

logger = logging.getLogger(__name__)

_NAMED = re.compile(r"(?<![A-Za-z])List(?![a-z])")  # List.ndjson, 2.List.ndjson.gz, List-0001.ndjson
Lists = Mapping[str, tuple[Panel, ...]]


class _Version(msgspec.Struct):
    changed: str
    told: PatientList


def lists_of(run: PopulationRun) -> Lists:
    """By patient, the lists with them. Raises BadInput where files that were there when the run began are gone."""
    if any(_NAMED.search(name) and not (run.folder / name).exists() for name in run.files):
        raise BadInput("The folder's lists of patients are there no more: begin anew.")
    files = (file for file in sorted(run.folder.rglob("*")) if file.name.endswith(ENDINGS) and _NAMED.search(file.name))
    versions = [version for file in files for version in _read(file)]
    found = defaultdict[str, tuple[Panel, ...]](tuple)
    for one in newest(versions, same=lambda one: one.told.id, age=lambda one: changed_at(one.changed)):
        for patient in dict.fromkeys(one.told.patients):
            found[patient] += (one.told.panel,)
    return dict(found)


def _read(file: Path) -> Iterator[_Version]:
    """What cannot be read is passed over, and said; a line that is no JSON object the intake lists, too."""
    number = 0
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield from _version(line, file=file, number=number)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        logger.warning("%s breaks off after line %d: Lists after it are not known", file.name, number)


def _version(line: bytes, *, file: Path, number: int) -> Iterator[_Version]:
    try:
        head = head_of(line) if line.strip() else None
        if head and head.resource_type == "List":
            yield _Version(head.changed, read_list(line))
    except UNREADABLE:
        logger.warning("%s, line %d: not a List that can be read", file.name, number)


def describe(result: PopulationResult, patient: bytes, lists: tuple[Panel, ...]) -> None:
    """Of all that name the patient, so that whoever filters by one of them misses nobody."""
    found = dict([*panels(patient), *lists])
    result.panel, result.panel_name = "\n".join(found), "\n".join(found.values())
