"""FHIR dates, which may be partial: an interval and not an instant, so that "2025" never beats "2025-03-01"."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta, tzinfo

from cds.facts import When

_DAY = len("2025-03-01")


def parse(text: str | None, zone: tzinfo) -> When | None:
    """The interval a FHIR date, dateTime or instant covers; dates without a zone are in `zone`; None if unreadable."""
    if not text:
        return None
    try:
        if len(text) > _DAY:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
            return When(text=text, earliest=moment, latest=moment)
        return _interval(text, zone)
    except ValueError:
        return None


def _interval(text: str, zone: tzinfo) -> When:
    parts = [int(part) for part in text.split("-")]
    year, month, day = (*parts, 0, 0)[:3]
    first = datetime(year, month or 1, day or 1, tzinfo=zone)
    last = datetime(year, month or 12, day or monthrange(year, month or 12)[1], tzinfo=zone)
    return When(text=text, earliest=first, latest=last + timedelta(days=1) - timedelta(microseconds=1))
