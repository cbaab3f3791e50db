"""`manage.py purge`: what the nightly job does, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from cds import retention


class Command(BaseCommand):
    help = "Let go of audit entries and of the facts behind assessments that were kept long enough."

    def handle(self, *_: Any, **__: Any) -> None:
        entries, snapshots = retention.purge()
        self.stdout.write(f"{entries} audit entries and {snapshots} snapshots were purged.")
