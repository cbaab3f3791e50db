"""FHIR dates, which may be partial: an interval and not an instant, so that "2025" never beats "2025-03-01"."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, tzinfo
from functools import lru_cache

from cds.facts import When

_DAY = len("2025-03-01")


@lru_cache(maxsize=8192)  # the values of one panel share one date
def parse(text: str | None, zone: tzinfo) -> When | None:
    """The interval a FHIR date, dateTime or instant covers, in `zone`, the EHR's; None if unreadable.

    In one zone, so that "the same day" is the day that the clinic's calendar showed.
    """
    if not text:
        return None
    try:
        if len(text) > _DAY:
            if text[_DAY] != "T":  # fromisoformat would take any letter
                return None
            moment = datetime.fromisoformat(text)
            moment = moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)
            return When(text=text, earliest=moment, latest=moment)
        return _interval(text, zone)
    except (ValueError, OverflowError):  # OverflowError: year 1 or 9999, moved to another zone
        return None


def _interval(text: str, zone: tzinfo) -> When:
    year, month, day = (*(int(part) for part in text.split("-")), None, None)[:3]
    if year is None:
        raise ValueError(text)
    first = datetime(year, 1 if month is None else month, 1 if day is None else day, tzinfo=zone)
    last_day = monthrange(year, 12 if month is None else month)[1] if day is None else day
    last = datetime(year, 12 if month is None else month, last_day, 23, 59, 59, 999_999, tzinfo=zone)
    return When(text=text, earliest=first, latest=last)
