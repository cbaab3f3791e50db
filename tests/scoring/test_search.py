"""The search tries what the recipe offers, the recipe's own settings first, and can be interrupted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scoring import search as searching
from scoring.cohorts import Cohort
from scoring.journal import Journal
from scoring.recipes import Recipe
from scoring.training import train


@pytest.fixture(scope="module")
def offering(recipe: Recipe) -> Recipe:
    return replace(recipe, space={"max_depth": (1, 2, 3), "eta": (0.1, 0.3)}, trials=3, resamples=5)


def test_the_recipes_own_settings_come_first_and_the_draws_are_the_seeds(offering: Recipe) -> None:
    first = searching.candidates(offering, seed=1)
    assert first[0] == offering.params
    assert len(first) == 4
    assert first == searching.candidates(offering, seed=1) != searching.candidates(offering, seed=2)
    assert all(each["max_depth"] in (1, 2, 3) and each["min_child_weight"] == 1 for each in first)


def test_no_more_is_drawn_than_there_is(offering: Recipe) -> None:
    assert len(searching.candidates(replace(offering, trials=99), seed=1)) == 1 + 6


def test_the_smallest_loss_wins(offering: Recipe, cohort: Cohort) -> None:
    trials = searching.search(offering, cohort, seed=1, journal=Journal())
    losses = [trial.loss for trial in trials]
    assert losses == sorted(losses)
    assert losses[0] < losses[-1]


def test_a_run_that_goes_on_from_a_journal_writes_the_same_bytes(
    offering: Recipe, cohort: Cohort, tmp_path: Path
) -> None:
    whole = train(offering, cohort, source="made-up", seed=1, journal=Journal(tmp_path / "whole.jsonl"))
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == 6  # four settings, two comparisons
    (tmp_path / "killed.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:20])
    journal = Journal(tmp_path / "killed.jsonl")
    assert journal.finished == 2
    again = train(offering, cohort, source="made-up", seed=1, journal=journal)
    assert (again.artefact, again.facts, again.card) == (whole.artefact, whole.facts, whole.card)
    assert (tmp_path / "killed.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
