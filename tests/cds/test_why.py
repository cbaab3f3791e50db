"""The table and the waterfall say the same, and both add up."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from cds.facts import Quantity, When
from cds.finding import Estimate, Factor
from cds.why import in_words, steps, why
from scoring.shelf import sigmoid

DAY = datetime(2026, 3, 9, tzinfo=UTC)
CONTRIBUTIONS = (1.4, -0.5, 0.3, 0.2, -0.1, 0.05, 0.02, -0.01)


@pytest.fixture
def estimate() -> Estimate:
    factors = tuple(
        Factor(
            key=f"f{index}",
            label=f"Factor {index}",
            contribution=contribution,
            points=contribution / 10,
            quantity=Quantity(value=index, unit="mg/dL") if index else None,
            text="" if index else "not known",
            when=When(text="2026-03-09", earliest=DAY, latest=DAY) if index else None,
            modifiable=True,
        )
        for index, contribution in enumerate(CONTRIBUTIONS)
    )
    margin = -4.0 + sum(CONTRIBUTIONS)
    return Estimate(
        probability=sigmoid(margin),
        margin=margin,
        base=-4.0,
        factors=factors,
        threshold=0.1,
        model="m",
        version="1",
    )


def test_the_steps_lead_from_the_base_to_the_margin_without_a_gap(estimate: Estimate) -> None:
    found = steps(estimate)
    assert found[0].start == estimate.base
    assert all(one.end == following.start for one, following in pairwise(found))
    assert found[-1].end == pytest.approx(estimate.margin)


def test_small_contributions_share_one_step_and_the_table_has_them_all(estimate: Estimate) -> None:
    assert steps(estimate)[-1].label == "2 others together"
    assert len(why(estimate).rows) == len(CONTRIBUTIONS)


def test_a_step_is_labelled_with_value_unit_and_date(estimate: Estimate) -> None:
    assert [step.label for step in steps(estimate)][:2] == [
        "Factor 0: not known",
        "Factor 1 1\N{NO-BREAK SPACE}mg/dL (9 Mar 2026)",
    ]


def test_the_printed_log_odds_add_up(estimate: Estimate) -> None:
    shown = why(estimate)
    numbers = [float(row.log_odds.replace("\N{MINUS SIGN}", "-")) for row in shown.rows]
    base, total = (float(text.replace("\N{MINUS SIGN}", "-")) for text in (shown.base, shown.total))
    assert base + sum(numbers) == pytest.approx(total, abs=0.005 * len(numbers))


def test_what_is_not_known_cannot_be_changed(estimate: Estimate) -> None:
    rows = {row.label: row.modifiable for row in why(estimate).rows}
    assert not rows["Factor 0"]
    assert rows["Factor 1"]


def test_the_text_alternative_says_the_direction_of_each_step(estimate: Estimate) -> None:
    said = in_words(estimate)
    assert "Factor 0: not known raises it" in said
    assert "Factor 1 1\N{NO-BREAK SPACE}mg/dL (9 Mar 2026) lowers it" in said
