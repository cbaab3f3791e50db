"""When an EHR is asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from cds.bulk.pace import LONGEST, LONGEST_UNSAID, SHORTEST, pause_after


@pytest.mark.parametrize(("said", "seconds"), [("120", 120), ("0", SHORTEST), ("999999", LONGEST)])
def test_retry_after_counts_within_bounds(said: str, seconds: float) -> None:
    assert pause_after(0, said) == seconds


def test_retry_after_may_be_a_date() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 57 < pause_after(0, at) <= 60


@pytest.mark.parametrize("said", ["", "soon", "-1"])
def test_without_it_pauses_grow_and_spread(said: str) -> None:
    for tries in range(12):
        grown = min(2.0**tries, LONGEST_UNSAID)
        assert 0.9 * grown <= pause_after(tries, said) <= 1.1 * grown
    assert len({pause_after(5, said) for _ in range(20)}) > 1
