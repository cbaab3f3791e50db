"""`manage.py train NAME --source SOURCE --data DATA`: train a model and write it, its facts and its card."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from scoring import recipes
from scoring.journal import Journal
from scoring.management.plainly import plainly
from scoring.tables import interval
from scoring.training import fingerprint, train, write


class Command(BaseCommand):
    help = "Train a model from a recipe and write artefact, facts and model card into the plug-in's folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("recipe")
        parser.add_argument("--source", required=True, help="one of the recipe's sources, such as nhanes")
        parser.add_argument(
            "--data", required=True, help="the file, folder or address (postgres://...) of the source's data"
        )
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--out", type=Path, help="write here instead")

    def handle(self, *args: Any, **options: Any) -> None:
        again = "interrupted; the same command goes on from the last setting that was tried"
        with plainly(interrupted=again):
            self._train(**options)

    def _train(self, *, source: str, data: str, seed: int, out: Path | None, **options: Any) -> None:
        recipe = recipes.get(options["recipe"])
        cohort = recipe.read(source, data)
        run = f"{recipe.name}-{fingerprint(recipe, cohort, seed=seed)}"
        journal = Journal(Path(settings.HOME) / "training" / f"{run}.jsonl")
        if journal.finished:
            self.stderr.write(f"going on after {journal.finished} finished steps of an earlier run")
        trained = train(recipe, cohort, source=source, seed=seed, journal=journal)
        for path in write(trained, out or recipe.folder):
            self.stdout.write(str(path))
        journal.discard()
        figures = trained.facts["performance"]["unweighted"]
        self.stdout.write(f"AUROC {interval(figures['auroc'], 3)}, O/E {interval(figures['observed_expected'])}")
