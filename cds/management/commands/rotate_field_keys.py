"""`manage.py rotate_field_keys`: encrypt every row with the newest of FIELD_KEYS, so that the older ones can go."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandParser

from cds import audit
from cds.fields import EncryptedField, rotate


class Command(BaseCommand):
    help = "Encrypt every row with the newest of FIELD_KEYS. Give every process the new key first, then run this."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=500, help="rows in one transaction")

    def handle(self, *_: Any, batch: int, **__: Any) -> None:
        total = 0
        for model in apps.get_models():
            if any(isinstance(field, EncryptedField) for field in model._meta.local_fields):
                count = rotate(model, batch=batch)
                self.stdout.write(f"{model._meta.label}: {count}")
                total += count
        audit.record("rotate-field-keys", actor=audit.US, rows=total)
        self.stdout.write(f"{total} rows were encrypted anew; nothing needs the older keys any more.")
