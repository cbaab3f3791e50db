"""Dates as a FHIR search compares them."""

from __future__ import annotations

import pytest

from smartapp.demo_ehr.periods import period_of, satisfies


@pytest.mark.parametrize(
    ("found", "wanted", "answer"),
    [
        ("2024-03-10", "2024-03", True),
        ("2024-03", "2024-03-10", False),
        ("2024-03-10", "ge2024-03-10", True),
        ("2024-03-10T23:00:00Z", "le2024-03-10", True),
        ("2024-03-10T23:00:00Z", "lt2024-03-10", False),
        ("2024-03-10T23:00:00-05:00", "le2024-03-10", False),
        ("2024", "gt2024-06", True),
        ("2024-12", "lt2025", True),
        ("2024-12-31", "ne2024", False),
    ],
)
def test_a_date_is_compared_as_the_interval_it_stands_for(found: str, wanted: str, answer: bool) -> None:
    assert satisfies(period_of(found), wanted) is answer


@pytest.mark.parametrize("text", ["tomorrow", "xx2024", "2024-13", ""])
def test_what_is_no_date_raises(text: str) -> None:
    with pytest.raises(ValueError):
        satisfies(period_of("2024"), text)
