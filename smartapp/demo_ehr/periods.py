"""FHIR dates as half-open intervals of time: `2024-03` is the whole month (R4 search, 3.1.1.4.8)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

Period = tuple[datetime, datetime]

BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)
PARTIAL = re.compile(r"^(\d{4})(?:-(\d\d))?(?:-(\d\d))?$")
PREFIXED = re.compile(r"^(eq|ne|gt|lt|ge|le)?(\d{4}.*)$")


def period_of(text: str) -> Period:
    """The interval that a date, partial date or dateTime stands for; ValueError if it is none."""
    if partial := PARTIAL.match(text):
        year, month, day = partial[1], partial[2], partial[3]
        start = date(int(year), int(month or 1), int(day or 1))
        return midnight(start), midnight(following(start, month=month, day=day))
    moment = datetime.fromisoformat(text)
    start_at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return start_at, start_at + timedelta(seconds=0 if start_at.microsecond else 1)


def following(start: date, *, month: str | None, day: str | None) -> date:
    """The first day after the year, month or day that begins at `start`."""
    if day:
        return start + timedelta(days=1)
    if month:
        return date(start.year + start.month // 12, start.month % 12 + 1, 1)
    return date(start.year + 1, 1, 1)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def span(value: Any) -> Period | None:
    """The interval of an element: a date, dateTime, instant or Period; None for anything else."""
    if isinstance(value, str):
        return period_of(value)
    if isinstance(value, dict) and ("start" in value or "end" in value):
        start = period_of(value["start"])[0] if "start" in value else BEGINNING
        return start, period_of(value["end"])[1] if "end" in value else END
    return None


def satisfies(found: Period, wanted: str) -> bool:
    """Does the interval meet a search value such as `ge2024-01-01`? ValueError if that is no date."""
    parsed = PREFIXED.match(wanted)
    if not parsed:
        raise ValueError(f"{wanted!r} is not a date to search for")
    start, end = period_of(parsed[2])
    within = start <= found[0] and found[1] <= end
    answers = {
        "eq": within,
        "ne": not within,
        "gt": found[1] > end,
        "ge": found[1] > end or within or found[0] >= start,
        "lt": found[0] < start,
        "le": found[0] < start or within or found[1] <= end,
    }
    return answers[parsed[1] or "eq"]
