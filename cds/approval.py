"""Two people: one asks for a change and says why, another one with the role decides and says why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from django.utils import timezone

from cds.errors import BadInput
from cds.models import Change

_SHORTEST_REASON = 5  # characters: "x" is not a reason
Verdict = Change.Verdict
C = TypeVar("C", bound=Change)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody at the admin; `key` is how the audit names them, `approves` whether they have the role to decide."""

    name: str
    key: str
    approves: bool = False


def reason(given: str) -> str:
    """In one line; without one nothing is done."""
    said = " ".join(given.split())
    if len(said) < _SHORTEST_REASON:
        raise BadInput("Say why, in a few words: whoever looks at this again will read it.")
    return said[:500]


def asked(change: C, *, by: Person, why: str) -> C:
    """Not saved yet."""
    change.asked_by, change.asked_key, change.why = by.name[:150], by.key, reason(why)
    return change


def withdraw(change: C, *, by: Person) -> C:
    """By whoever asked."""
    change = waiting(change)
    if change.asked_key != by.key:
        raise BadInput(f"{change.asked_by} asked for this; only they withdraw it. You may refuse it.")
    settle(change, Verdict.WITHDRAWN, by=by, why="")
    return change


def refuse(change: C, *, by: Person, why: str) -> C:
    change = waiting(change)
    require_another(change, by=by)
    settle(change, Verdict.REFUSED, by=by, why=reason(why))
    return change


def waiting(change: C) -> C:
    """The row, locked until the transaction ends. Raises BadInput if somebody was faster."""
    row = type(change)._default_manager.select_for_update().get(pk=change.pk)
    if row.verdict != Verdict.WAITING:
        raise BadInput(f"Nothing waits here any more: this was {row.verdict} by {row.decided_by}.")
    return row


def require_another(change: Change, *, by: Person) -> None:
    """Who asked does not decide, whatever their roles."""
    if change.asked_key == by.key:
        raise BadInput("You asked for this yourself; somebody else has to decide.")
    if not by.approves:
        raise BadInput("Only somebody with the role “clinical approver” decides on this.")


def settle(change: Change, verdict: Change.Verdict, *, by: Person, why: str) -> None:
    """Keep who decided, when and why."""
    change.verdict, change.decision, change.decided_at = verdict, why, timezone.now()
    change.decided_by, change.decided_key = by.name[:150], by.key
    change.save()
