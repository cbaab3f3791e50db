"""`manage.py rotate_keys`: make our next signing keys, a day before they are used."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from cds import audit
from cds.keys import rotate


class Command(BaseCommand):
    """Run it as often as your policy asks, by cron for example; old keys go by themselves."""

    help = "Make the next signing keys; they are published at once and used from tomorrow."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--compromised", action="store_true", help="remove all keys now and sign with new ones at once"
        )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        for key in rotate(compromised=options["compromised"]):
            audit.record("rotate-key", actor="rotate_keys", subject=str(key))
            self.stdout.write(f"{key}, in use from {key.signs_from:%Y-%m-%d %H:%M} UTC")
