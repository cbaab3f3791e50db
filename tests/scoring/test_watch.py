"""A look at a model: alarms in words where something changed, silence where nothing did, and no crash without data."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from scoring.drift import PROBABILITY, reference
from scoring.outcomes import Asked
from scoring.watch import Alarm, look

FACTS: dict[str, Any] = {
    "performance": {"unweighted": {"auroc": {"low": 0.75}}},
    "trusted_observed_expected": [0.8, 1.25],
}


def people(n: int, *, seed: int = 5, glucose: float = 100, offset: float = 0.0, tested: float = 0.5) -> Asked:
    """Calibrated, unless `offset` (log-odds) moves the truth away from the score."""
    draw = np.random.default_rng(seed)
    margin = draw.normal(-1.5, 1.5, size=n)
    truth = (draw.random(n) < 1 / (1 + np.exp(-margin - offset))).astype(np.float64)
    return Asked(
        features=("glucose",),
        rows=draw.normal(glucose, 15, size=(n, 1)),
        probability=1 / (1 + np.exp(-margin)),
        label=np.where(draw.random(n) < tested, truth, np.nan),
        period=np.full(n, "2026-03"),
    )


def facts() -> dict[str, Any]:
    learnt = people(3000, seed=1)
    columns = np.column_stack([learnt.rows, learnt.probability])
    return {**FACTS, "reference": reference(columns, ("glucose", PROBABILITY))}


def alarms(recent: Asked, all_time: Asked | None = None, **more: Any) -> list[Alarm]:
    given = {"facts": facts(), "own": None, "threshold": 0.1, **more}
    findings, found = look(recent, recent if all_time is None else all_time, **given)
    json.dumps(findings, allow_nan=False)  # it is stored as JSON
    return found


def test_where_nothing_changed_nothing_rings() -> None:
    assert alarms(people(600)) == []


def test_other_values_ring_with_their_psi_in_words() -> None:
    found = alarms(people(600, glucose=115))
    assert [one.key for one in found] == ["drift glucose training alarm"]
    assert "glucose differs from the people it learnt from: PSI" in found[0].text


def test_a_column_that_is_suddenly_empty_rings_and_says_for_how_many() -> None:
    recent = people(600)
    recent.rows[:20] = np.nan
    found = alarms(recent)
    assert found[0].text.startswith("glucose is suddenly empty: none of the newest 20 people had it")


def test_other_answers_ring_too() -> None:
    recent = people(600)
    shifted = Asked(**{**vars(recent), "probability": recent.probability**0.5})
    assert "the model's answers differs" in alarms(shifted, people(600))[0].text


def test_a_change_against_its_own_past_rings_apart() -> None:
    early = people(400, seed=2, glucose=120)
    own = reference(np.column_stack([early.rows, early.probability]), ("glucose", PROBABILITY))
    assert [one.key for one in alarms(people(600), own=own)] == ["drift glucose own alarm"]


def test_more_cases_than_promised_ring() -> None:
    found = alarms(people(600), people(2000, offset=0.8))
    assert [one.key for one in found] == ["calibration"]
    assert "more cases than it promises" in found[0].text


def test_fewer_cases_than_promised_ring() -> None:
    assert "fewer cases" in alarms(people(600), people(2000, offset=-0.8))[0].text


def test_worse_discrimination_than_at_validation_rings() -> None:
    chance = people(2000)
    shuffled = np.random.default_rng(1).permutation(chance.label)
    found = alarms(people(600), Asked(**{**vars(chance), "label": shuffled}))
    assert "discrimination" in [one.key for one in found]


@pytest.mark.parametrize("n", [0, 1, 5])
def test_hardly_anybody_is_no_crash_and_said(n: int) -> None:
    recent = people(n, tested=0)
    findings, found = look(recent, recent, facts=facts(), own=None, threshold=0.1)
    assert found == []
    assert "too few to compare" in " ".join(findings["said"])


def test_a_model_without_a_reference_is_said_to_have_none() -> None:
    recent = people(100)
    findings, _ = look(recent, recent, facts={}, own=None, threshold=0.1)
    assert findings["drift"] == {}
    assert "hold no reference" in " ".join(findings["said"])
