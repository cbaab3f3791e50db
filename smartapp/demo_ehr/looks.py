"""When the app looked at a chart by itself: with a token for the system, without a user and without a launch."""

from __future__ import annotations

from datetime import UTC, datetime

from smartapp.demo_ehr.grants import Grant
from smartapp.demo_ehr.search import Criteria

_last: dict[str, datetime] = {}


def note(grant: Grant, criteria: Criteria) -> None:
    """Of each search for a patient's data."""
    if grant.of_system:
        _last.update(dict.fromkeys((value for name, value in criteria if name == "patient"), datetime.now(UTC)))


def last(patient_id: str) -> datetime | None:
    """Since the hospital was started."""
    return _last.get(patient_id)
