"""`manage.py verify_audit`: walk the whole audit chain; say where it is broken and exit with 1."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cds import audit, chain


class Command(BaseCommand):
    help = "Verify the audit trail against its keys and its anchor file. Exits with 1 at the first broken link."

    def handle(self, *_: Any, **__: Any) -> None:
        link = next(chain.verify(), None)
        audit.record("verify-audit", actor=audit.US, broken_at=link.sequence if link else 0)
        if link:
            raise CommandError(f"the audit trail is broken at entry {link.sequence}: {link.reason}")
        sequence, seal = chain.head()
        self.stdout.write(f"The audit trail is whole up to entry {sequence}, seal {seal or 'none yet'}.")
