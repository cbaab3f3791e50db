"""Numbers as a clinician reads them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cds.facts import Quantity, When
from cds.words import Frequency, day, measured, signed

SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("probability", "in_100", "percent"),
    [
        (0.0, "Fewer than 1 in 100", f"under 1{SPACE}%"),
        (0.004, "Fewer than 1 in 100", f"under 1{SPACE}%"),
        (0.006, "1 in 100", f"1{SPACE}%"),
        (0.176, "18 in 100", f"18{SPACE}%"),
        (0.996, "More than 99 in 100", f"over 99{SPACE}%"),
    ],
)
def test_words_dots_and_per_cent_agree(probability: float, in_100: str, percent: str) -> None:
    said = Frequency(probability=probability)
    assert (said.in_100, said.percent) == (in_100, percent)
    assert len(said.dots) == 100
    assert sum(on for _, _, on in said.dots) == round(probability * 100)


def test_a_unit_is_written_as_people_write_it() -> None:
    assert measured(Quantity(value=148.0, unit="mm[Hg]")) == f"148{SPACE}mmHg"
    assert measured(Quantity(value=33.21, unit="kg/m2")) == f"33.2{SPACE}kg/m²"


def test_small_values_keep_two_decimals() -> None:
    assert measured(Quantity(value=1.58, unit="mg/dL")) == f"1.58{SPACE}mg/dL"
    assert measured(Quantity(value=10.0, unit="mg/dL")) == f"10{SPACE}mg/dL"


def test_a_limit_is_shown_as_a_limit() -> None:
    assert measured(Quantity(value=60, unit="mL/min/{1.73_m2}", comparator=">")) == f">60{SPACE}mL/min/1.73 m²"


def test_a_contribution_has_a_sign_even_if_it_is_positive() -> None:
    assert signed(0.333, decimals=2) == "+0.33"
    assert signed(-0.333, decimals=2) == "\N{MINUS SIGN}0.33"


@pytest.mark.parametrize(("text", "said"), [("2025", "2025"), ("2025-03", "Mar 2025"), ("2025-03-09", "9 Mar 2025")])
def test_a_date_is_as_precise_as_the_record(text: str, said: str) -> None:
    latest = datetime(2025, 3, 9, tzinfo=UTC)
    assert day(When(text=text, earliest=latest, latest=latest)) == said
