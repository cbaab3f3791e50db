"""Calendar arithmetic for look-backs."""

from __future__ import annotations

from datetime import date


def months_before(day: date, months: int) -> date:
    """The same day of the month, `months` earlier; the last day where that month is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    raise ValueError(f"no day {months} months before {day}")
