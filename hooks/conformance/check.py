"""A check: what must hold, where it is written, and the few lines that try it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from hooks.conformance.target import Service, Target
from hooks.conformance.verdicts import Level

SHALL, SHOULD = Level.SHALL, Level.SHOULD

Run = Callable[[Target, Service], None]


class Check(Struct, frozen=True, kw_only=True):
    title: str
    section: str
    level: Level
    run: Run


def checklist(checks: list[Check]) -> Callable[[Level, str, str], Callable[[Run], Run]]:
    """A decorator that adds a function to `checks`; the function raises Failed or Skipped, or all is well."""

    def check(level: Level, section: str, title: str) -> Callable[[Run], Run]:
        def add(run: Run) -> Run:
            checks.append(Check(title=title, section=section, level=level, run=run))
            return run

        return add

    return check
