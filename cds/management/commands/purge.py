"""`manage.py purge`: what the nightly job does, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from cds import retention


class Command(BaseCommand):
    help = "Let go of audit entries, facts, worklists, rows for the statistics and sessions that were kept long enough."

    def handle(self, *_: Any, **__: Any) -> None:
        gone = retention.purge()
        self.stdout.write(
            f"{gone.entries} audit entries, {gone.snapshots} snapshots, {gone.predictions} predictions, the names of "
            f"{gone.listed} people on worklists and {gone.sessions} sessions were purged."
        )
