"""Renewal leaves a draft where something is better, says so where nothing is, and promotes nothing itself."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

import numpy as np
import pytest

from scoring import shelf
from scoring.models import ModelVersion, TrainingRun
from scoring.outcomes import Asked
from scoring.renewal import in_words, known, renew
from scoring.training import Trained

NAME, NOW = "made-up-risk", datetime(2026, 11, 1, 2, 10, tzinfo=UTC)


@pytest.fixture
def live(db: None, trained: Trained) -> ModelVersion:
    shelf.put(NAME, trained.artefact, trained.facts)
    return shelf.approve(NAME, trained.facts["version"], by="two people")


def hospital(live: ModelVersion, n: int, *, offset: float = 0.0, noise: float = 0.0, tested: float = 1.0) -> Asked:
    """People as the model was trained on; `offset`: more cases than it knows of; `noise`: what it thought was noise matters."""
    draw = np.random.default_rng(9)
    rows = draw.normal(size=(n, 3))
    margin = -1 + 2 * rows[:, 0] + 1.2 * rows[:, 1] + noise * rows[:, 2] + offset
    truth = (draw.random(n) < 1 / (1 + np.exp(-margin))).astype(np.float64)
    chance = np.array([score.probability for score in shelf.load(live).score_many(rows)])
    return Asked(
        features=("sugar", "girth", "noise"),
        rows=rows,
        probability=chance,
        label=np.where(draw.random(n) < tested, truth, np.nan),
        period=np.full(n, "2026-10"),
    )


def run(asked: Asked) -> TrainingRun:
    found = renew(NAME, asked, threshold=0.4, now=NOW)
    json.dumps(found.report, allow_nan=False)
    return found


def test_a_model_that_says_too_little_is_recalibrated(live: ModelVersion) -> None:
    found = run(hospital(live, 2500, offset=1.5))
    assert found.status == "candidate"
    assert found.candidate is not None
    before, after = (found.report["figures"][name]["observed_expected"] for name in ("live", found.report["best"]))
    assert before["low"] > 1.1
    assert after["value"] == pytest.approx(1, abs=0.1)
    assert found.report["figures"][found.report["best"]]["gain"]["low"] > 0


def test_the_candidate_is_a_draft_that_scores_as_it_was_judged(live: ModelVersion) -> None:
    candidate = run(hospital(live, 2500, offset=1.5)).candidate
    assert candidate is not None
    assert (candidate.status, candidate.version) == ("draft", f"{live.version}+local.20261101.0210")
    assert shelf.active_version(NAME) == live.version
    assert shelf.load(candidate).score([0.0, 0.0, 0.0]).probability > shelf.load(live).score([0.0] * 3).probability
    assert candidate.facts["renewed"]["from"] == live.version
    assert candidate.facts["reference"]["probability"]["n"] > 0


def test_what_the_model_did_not_know_is_learnt_by_new_trees(live: ModelVersion) -> None:
    found = run(hospital(live, 4000, noise=2.5))
    assert found.report["best"] == "retrained"
    areas = {name: found.report["figures"][name]["auroc"]["value"] for name in ("live", "retrained")}
    assert areas["retrained"] > areas["live"] + 0.02


def test_what_people_learnt_of_medicine_stays_so_in_new_trees(live: ModelVersion) -> None:
    candidate = run(hospital(live, 4000, noise=2.5)).candidate
    assert candidate is not None
    rows = np.array([[sugar, 0.0, 0.0] for sugar in np.linspace(-2, 2, 30)])
    margins = [score.margin for score in shelf.load(candidate).score_many(rows)]
    assert np.diff(margins).min() > -1e-6  # sums of 32-bit numbers


def test_contributions_of_a_candidate_still_add_up(live: ModelVersion) -> None:
    candidate = run(hospital(live, 4000, noise=2.5)).candidate
    assert candidate is not None
    score = shelf.load(candidate).score([0.3, -0.2, 1.0])
    assert score.margin == pytest.approx(score.base + sum(score.contributions))


def test_too_few_outcomes_leave_no_candidate_and_say_so(live: ModelVersion) -> None:
    found = run(hospital(live, 200))
    assert (found.status, found.candidate) == ("too-few", None)
    assert "at least 100 cases" in in_words(found)[1]


def test_nobody_and_one_kind_only_are_no_crash(live: ModelVersion) -> None:
    everybody = hospital(live, 600)
    assert run(everybody.where(np.zeros(600, dtype=np.bool_))).status == "too-few"
    assert run(Asked(**{**vars(everybody), "label": np.zeros(600)})).status == "too-few"


def test_where_those_who_would_calibrate_new_trees_are_of_one_kind_none_are_grown(live: ModelVersion) -> None:
    asked = hospital(live, 2500, offset=1.5)
    label = asked.label.copy()
    label[1100:1380] = 0  # of the early cases that teach, the newest fifth
    found = run(Asked(**{**vars(asked), "label": label}))
    assert set(found.report["figures"]) == {"live", "recalibrated"}
    assert "New trees were not grown" in in_words(found)[1]


def test_without_the_packages_it_is_said_and_nothing_is_tried(
    live: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = hospital(live, 2500, offset=1.5)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    found = run(asked)
    assert (found.status, found.candidate) == ("unavailable", None)
    assert "install the extra `train`" in in_words(found)[1]


def test_the_tested_stand_for_the_untested_within_bounds(live: ModelVersion) -> None:
    cases = known(hospital(live, 3000, tested=0.05), threshold=0.4)
    assert cases.weight.max() <= 10
    assert cases.weight.mean() > 5


def test_the_same_cases_give_the_same_candidate(live: ModelVersion) -> None:
    asked = hospital(live, 2500, offset=1.5)
    first, again = run(asked), run(asked)
    assert first.candidate == again.candidate
    assert first.report == again.report
