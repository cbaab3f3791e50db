"""Ask an EHR to tell us of new results, and end that."""

from __future__ import annotations

from cds import audit
from cds.models import Ehr, Subscription
from cds.notified.token import HandOver, issue


def listen(row: Subscription, *, actor: str) -> HandOver:
    """A new row: from now on its end point answers. What is returned is shown once, and kept as hashes only."""
    values = issue(row)
    row.save()
    audit.record("listen", actor=actor, ehr=row.ehr, subject=f"subscription {row.pk}", style=row.style)
    return values


def end(row: Subscription, *, actor: str) -> None:
    """Nothing is at its end point any more."""
    ehr: Ehr = row.ehr
    audit.record("listen-end", actor=actor, ehr=ehr, subject=f"subscription {row.pk}")
    row.delete()
