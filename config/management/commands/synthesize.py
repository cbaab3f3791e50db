"""`manage.py synthesize N --seed S --out FOLDER`: invented patients as Bulk Data, for demos and load."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from config import synthetic

LAST_DAY = date(2026, 1, 1)  # fixed, not today: the same seed gives the same bytes next year


class Command(BaseCommand):
    help = "Write a synthetic population as NDJSON, one file a resource type. DEMO_EHR_POPULATION serves it by $export."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("count", type=int, metavar="N", help="how many people")
        parser.add_argument("--seed", type=int, default=1, help="the same seed writes the same bytes")
        parser.add_argument("--out", type=Path, required=True, help="a folder without NDJSON in it")
        parser.add_argument(
            "--until", type=date.fromisoformat, default=LAST_DAY, help="the last day that anybody is seen"
        )

    def handle(self, *args: Any, count: int, seed: int, out: Path, until: date, **options: Any) -> None:
        if find_spec("carebundle") is None:
            raise CommandError("carebundle makes the people: pip install 'bedside[synthesize]'")
        if count < 1 or seed < 0:
            raise CommandError("N must be at least 1, and the seed must not be negative")
        if out.exists() and (not out.is_dir() or any(out.glob("*.ndjson*"))):
            raise CommandError(f"{out} is no folder, or holds NDJSON already; name another one")
        out.mkdir(parents=True, exist_ok=True)
        written = synthetic.write(out, synthetic.people(count, seed=seed, until=until))
        for _ in tqdm(written, total=count, unit="people", disable=None):
            pass
        self.stdout.write(f"{count} synthetic people in {out}. Serve them: DEMO_EHR_POPULATION={out} manage.py demo")
