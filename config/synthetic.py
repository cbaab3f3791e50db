"""A synthetic population as Bulk Data NDJSON, for demos and load only: nobody in it is real, and no model learns from it.

The generator is carebundle (extra `synthesize`). Each resource carries HL7's label for test health data (HTEST), and its
text begins with SYNTHETIC TEST DATA. What carebundle leaves out is added here: who was seen when, who was never tested,
and whose panel a patient is on.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import TextIO

AGES = (20, 85)  # years
# As carebundle weighs its profiles of adults, each with one of them; no claim about any real population.
PROFILES = {"healthy": 0.50, "hypertension": 0.30, "type2_diabetes": 0.15, "ckd_stage3": 0.05}
# Which laboratory panels a visit had, so that the question "whom should we test?" has somebody to find.
PANELS: dict[tuple[str, ...], float] = {(): 0.35, ("cmp", "lipid"): 0.35, ("cmp", "cbc", "lipid", "hba1c"): 0.30}
SEEN_WITHIN_DAYS = 3 * 365  # before the last day
PANEL_SIZE = 100  # patients of one clinician

Lines = dict[str, str]


def people(count: int, *, seed: int, until: date) -> Iterator[Lines]:
    """Of each person NDJSON by resource type. The same arguments give the same bytes."""
    clinician = ""
    for index in range(count):
        lines = _person(index, seed=seed, until=until)
        if index % PANEL_SIZE == 0:
            clinician = json.loads(lines["Practitioner"])["id"]
        yield {**lines, "Patient": _on_panel(lines["Patient"], clinician)}


def _person(index: int, *, seed: int, until: date) -> Lines:
    from carebundle import generate_bundle, to_ndjson

    dice = random.Random(f"{seed}:{index}")  # noqa: S311 -- the same again is wanted
    bundle = generate_bundle(
        profile=dice.choices(list(PROFILES), list(PROFILES.values()))[0],
        seed=seed,
        index=index,
        sex=dice.choice("FM"),
        age_range=AGES,
        reference_date=until - timedelta(days=dice.randrange(SEEN_WITHIN_DAYS)),
        panels=dice.choices(list(PANELS), list(PANELS.values()))[0],
    )
    return to_ndjson(bundle)


def _on_panel(line: str, clinician: str) -> str:
    patient = json.loads(line) | {"generalPractitioner": [{"reference": f"Practitioner/{clinician}"}]}
    return json.dumps(patient, separators=(",", ":"), sort_keys=True) + "\n"


def write(folder: Path, found: Iterator[Lines]) -> Iterator[int]:
    """One file for each type; yields how many people are written. A name is given when all of them are there."""
    streams: dict[str, TextIO] = {}
    with ExitStack() as files:
        for number, lines in enumerate(found, start=1):
            for kind, text in lines.items():
                if kind not in streams:
                    part = folder / f"{kind}.part"
                    streams[kind] = files.enter_context(part.open("w", encoding="utf-8", newline="\n"))
                streams[kind].write(text)
            yield number
    for kind in streams:
        (folder / f"{kind}.part").rename(folder / f"{kind}.ndjson")
