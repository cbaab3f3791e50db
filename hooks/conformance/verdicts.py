"""What a check says: passed, failed or skipped, and why."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from msgspec import Struct


class Level(Enum):
    """The words of RFC 2119. A broken SHOULD is reported, and does not fail the run."""

    SHALL = "SHALL"
    SHOULD = "SHOULD"


class Verdict(Enum):
    PASS = "pass"  # noqa: S105 -- no password
    FAIL = "fail"
    SKIP = "skip"


class Failed(Exception):
    """The service did not do what it should; the text says what it did."""


class Skipped(Exception):
    """It cannot be checked here; the text says what is missing."""


class Result(Struct, frozen=True, kw_only=True):
    """One check of one service (`about`), or of the whole (`about` is empty)."""

    title: str
    section: str
    level: Level
    verdict: Verdict
    about: str = ""
    reason: str = ""


def conforms(results: Iterable[Result]) -> bool:
    """No SHALL is broken."""
    return not any(result.verdict is Verdict.FAIL and result.level is Level.SHALL for result in results)


def as_text(results: Iterable[Result]) -> str:
    """The report: one line a check, its reason below it, and the sum."""
    lines, counts = [], dict.fromkeys(Verdict, 0)
    for result in results:
        counts[result.verdict] += 1
        about = f" [{result.about}]" if result.about else ""
        lines.append(f"{result.verdict.value}  {result.level.value:6}  {result.section}: {result.title}{about}")
        lines += [f"      {line}" for line in result.reason.splitlines()]
    sum_ = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items())
    return "\n".join([*lines, "", sum_])
