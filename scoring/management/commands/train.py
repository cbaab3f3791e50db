"""`manage.py train NAME --source SOURCE --data PATH`: train a model and write it, its facts and its card."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from scoring import recipes
from scoring.errors import ScoringError
from scoring.training import train, write


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
        try:
            recipe = recipes.get(options["recipe"])
            cohort = recipe.read(options["source"], options["data"])
            trained = train(recipe, cohort, source=options["source"], seed=options["seed"])
        except ScoringError as error:
            raise CommandError(str(error)) from error
        for path in write(trained, options["out"] or recipe.folder):
            self.stdout.write(str(path))
        figures = trained.facts["performance"]["unweighted"]
        self.stdout.write(f"AUROC {figures['auroc']['value']:.3f}, O/E {figures['observed_expected']['value']:.2f}")
