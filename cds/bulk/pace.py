"""When the EHR is asked again: when it says, else with growing pauses (Bulk Data, "Bulk Data Status Request")."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import timedelta

import requests
from django.utils import timezone
from msgspec import Struct

from cds.fhir.client import reason_in, seconds_in
from cds.models import Export

SHORTEST, LONGEST = 0.5, 3600.0  # seconds, whatever Retry-After says
LONGEST_UNSAID = 300.0
LOOK_UP = 1.0  # so often somebody who waits looks whether to go on

# FHIR R4, value set issue-type, below "transient": the question failed, not the job.
_TRANSIENT = {"transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled"}
_AGAIN = {408, 425, 429, 502, 503, 504}


class Fetching(Struct, frozen=True, kw_only=True):
    """How far the records are. `waits`: so many seconds nothing will happen."""

    words: str
    waits: float = 0.0


def passes(response: requests.Response) -> bool:
    """Would the same question be answered later?"""
    return response.status_code in _AGAIN or reason_in(response) in _TRANSIENT


def pause_after(tries: int, said: str) -> float:
    """Seconds until the next question, which is the `tries`th in vain; `said`: its Retry-After."""
    seconds = seconds_in(said)
    if seconds is not None:
        return min(max(seconds, SHORTEST), LONGEST)
    return min(2.0**tries, LONGEST_UNSAID) * random.uniform(0.9, 1.1)  # noqa: S311 -- so that clients spread, not a secret


def put_off(export: Export, said: str) -> None:
    """Not before, in no process."""
    export.next_at = timezone.now() + timedelta(seconds=pause_after(export.tries, said))
    export.tries = min(export.tries + 1, 30)
    export.save(update_fields=["next_at", "tries", "progress"])


def due(export: Export) -> Iterator[Fetching]:
    """Wait until the EHR may be asked."""
    while export.next_at and (left := (export.next_at - timezone.now()).total_seconds()) > 0:
        yield Fetching(words=export.progress or "the EHR prepares the records", waits=left)
        time.sleep(min(left, LOOK_UP))
