"""Calendar arithmetic for look-backs and ages."""

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


def years_between(born: date, day: date) -> int:
    """Whole years; who was born on 29 February is a year older on 1 March where that year has no such day."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
