"""Late truth: verification bias is estimated and said; few, one kind or none is no crash."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.outcomes import Asked, in_words, observed_expected, performance, standing_for_all

THRESHOLD = 0.1


def asked(n: int, *, seed: int = 3, testing: float | None = None, label: float | None = None) -> Asked:
    """Calibrated people. By default the higher the score the likelier the test; `testing`: the same for all."""
    draw = np.random.default_rng(seed)
    chance = 1 / (1 + np.exp(-draw.normal(-2.5, 1.5, size=n)))
    truth = (draw.random(n) < chance).astype(np.float64) if label is None else np.full(n, label)
    likely = np.where(chance >= THRESHOLD, 0.6, 0.05) if testing is None else testing
    period = np.array(["2026-01", "2026-02"])[np.arange(n) % 2]
    return Asked(
        features=("x",),
        rows=draw.normal(size=(n, 1)),
        probability=chance,
        label=np.where(draw.random(n) < likely, truth, np.nan),
        period=period,
    )


def whole(n: int) -> Asked:
    """The same people, all of them tested: the truth that nobody knows."""
    return asked(n, testing=1.0)


def test_weighting_brings_back_what_testing_by_score_distorts() -> None:
    truth = performance(whole(6000), threshold=THRESHOLD)["among_tested"]
    found = performance(asked(6000), threshold=THRESHOLD)
    for name in ("auroc", "sensitivity"):
        naive, weighted = found["among_tested"][name]["value"], found["weighted"][name]
        assert abs(weighted["value"] - truth[name]["value"]) < abs(naive - truth[name]["value"]), name
        assert weighted["low"] <= truth[name]["value"] <= weighted["high"], name


def test_testing_by_lot_needs_no_correction() -> None:
    found = performance(asked(4000, testing=0.5), threshold=THRESHOLD)
    naive, weighted = found["among_tested"]["auroc"], found["weighted"]["auroc"]
    assert weighted["value"] == pytest.approx(naive["value"], abs=0.02)


def test_each_tested_person_stands_for_the_untested_of_the_band() -> None:
    band, tested = np.array([0, 0, 0, 1, 1]), np.array([True, False, False, True, True])
    assert standing_for_all(np.ones(5), tested, band).tolist() == [3, 1, 1]


def test_a_band_in_which_nobody_was_tested_is_spoken_of() -> None:
    people = asked(4000)
    low = people.probability < np.quantile(people.probability, 0.5)
    label = np.where(low, np.nan, people.label)
    found = performance(Asked(**{**vars(people), "label": label}), threshold=THRESHOLD)
    assert found["speaks_for"] == pytest.approx(0.5, abs=0.01)
    assert any("of the others nobody was tested" in one for one in in_words(found))


def test_who_was_tested_is_said_in_words() -> None:
    said = " ".join(in_words(performance(asked(4000), threshold=THRESHOLD)))
    assert "at or above the threshold" in said
    assert "not drawn by lot" in said
    assert "testing did not depend on" in said


def test_a_calibrated_model_is_calibrated_in_every_period() -> None:
    found = performance(asked(6000), threshold=THRESHOLD)["over_time"]
    assert [one["period"] for one in found] == ["2026-01", "2026-02"]
    for one in found:
        assert one["observed_expected"]["low"] < 1 < one["observed_expected"]["high"]
        assert one["auroc"]["low"] < one["auroc"]["value"] < one["auroc"]["high"]


@pytest.mark.parametrize("n", [0, 5])
def test_few_people_are_no_crash_and_it_is_said(n: int) -> None:
    found = performance(asked(n, testing=0.0), threshold=THRESHOLD)
    assert found["weighted"]["auroc"] is None
    assert "No outcome is known yet" in in_words(found)[0]


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_kind_only_is_no_crash_and_it_is_said(label: float) -> None:
    found = performance(asked(200, label=label), threshold=THRESHOLD)
    assert found["among_tested"]["auroc"] is None
    assert "no figure is given" in in_words(found)[-1]
    assert found["over_time"][0]["observed_expected"]["value"] >= 0


def test_where_the_model_abstained_nothing_is_judged() -> None:
    people = asked(200)
    chance = people.probability.copy()
    chance[:50] = np.nan
    found = performance(Asked(**{**vars(people), "probability": chance}), threshold=THRESHOLD)
    assert (found["people"], found["abstained"], found["scored"]) == (200, 50, 150)


@pytest.mark.parametrize(("observed", "low", "high"), [(0, 0, 3.69), (1, 0.013, 5.57), (20, 12.2, 30.9)])
def test_the_interval_of_a_count_is_poisson_s(observed: int, low: float, high: float) -> None:
    """Exact limits of a Poisson count, from tables."""
    found = observed_expected(observed, 1.0)
    assert found["low"] == pytest.approx(low, abs=0.03)
    assert found["high"] == pytest.approx(high, rel=0.02)
