"""`manage.py evaluate NAME --source SOURCE --data DATA`: hold a model against people whom its training never saw."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from scoring import recipes, shelf
from scoring.evaluation import evaluate, render
from scoring.figures import drawable
from scoring.files import write_whole
from scoring.management.plainly import plainly
from scoring.plots import THEMES, svg
from scoring.tables import Facts


class Command(BaseCommand):
    help = "Measure a model of the shelf on people it was not trained on; prints a report, and writes it with --out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("recipe")
        parser.add_argument("--source", required=True, help="one of the recipe's sources, such as nhanes")
        parser.add_argument(
            "--data", required=True, help="the file, folder or address (postgres://...) of the source's data"
        )
        parser.add_argument("--model-version", help="any version on the shelf; by default the approved one")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--out", type=Path, help="a folder for the report, the facts as JSON and the plots")

    def handle(self, *args: Any, **options: Any) -> None:
        with plainly():
            self._evaluate(**options)

    def _evaluate(self, *, source: str, data: str, seed: int, out: Path | None, **options: Any) -> None:
        recipe, version = recipes.get(options["recipe"]), options["model_version"]
        model = shelf.get(recipe.model, version) if version else shelf.active(recipe.model)
        cohort = recipe.read(source, data)
        facts = evaluate(recipe, model, cohort, source=source, seed=seed)
        self.stdout.write(render(facts))
        for path in _written(facts, out) if out else []:
            self.stdout.write(str(path))


def _written(facts: Facts, folder: Path) -> list[Path]:
    theme = THEMES["light"]
    plots = {
        f"{name}.svg": svg(figure.spec(facts, size="wide", theme=theme), theme)
        for name, figure in drawable(facts).items()
    }
    texts = {
        "evaluation.md": render(facts),
        "evaluation.json": json.dumps(facts, sort_keys=True, indent=1, allow_nan=False) + "\n",
        **plots,
    }
    return write_whole({folder / name: text.encode() for name, text in texts.items()})
