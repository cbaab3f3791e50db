"""The synthetic people that the hospital may have beside its cast: a folder of NDJSON, read when it is exported."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from smartapp.demo_ehr.outcomes import Resource

POPULATION = "population"  # the id of the Group of all who lie in the folder


def population_folder() -> Path | None:
    """Where `manage.py synthesize` put people, if the hospital was told of them."""
    folder = getattr(settings, "DEMO_EHR_POPULATION", "")
    return Path(folder) if folder else None


def lines_of(kind: str) -> Iterator[str]:
    """Of the folder's files of one type, plain or gzipped."""
    folder = population_folder()
    for path in sorted(folder.glob(f"{kind}.*ndjson*")) if folder else ():
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
            yield from (line.rstrip("\n") for line in stream if line.strip())


def population_group() -> list[Resource]:
    """The Group by which they are exported, if there are any; too many to be listed as members."""
    people = sum(1 for _ in lines_of("Patient"))
    named = {"name": "Synthetic population", "quantity": people}
    group = {"resourceType": "Group", "id": POPULATION, "type": "person", "actual": True, **named}
    return [group] if people else []
