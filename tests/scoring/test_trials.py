"""Sizes and effects of trials, against published figures, closed forms and simulation with a fixed seed."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.trials import effect, mismatch, pairs, size, size_of_pairs, t_quantile, twofold


def test_the_size_is_that_of_the_textbook() -> None:
    """Two arms of 914.3: (1.959964 + 1.281552)^2 (0.1 x 0.9 + 0.15 x 0.85) / 0.05^2."""
    assert size(baseline=0.1, difference=0.05, share=0.5) == 1829


def test_clusters_cost_their_design_effect_and_a_small_arm_costs_more() -> None:
    alone = size(baseline=0.1, difference=0.05, share=0.5)
    assert size(baseline=0.1, difference=0.05, share=0.5, cluster=21, icc=0.05) == pytest.approx(2 * alone, abs=1)
    assert size(baseline=0.1, difference=0.05, share=0.1) > 2 * alone


def test_pairs_take_as_many_as_connor_says() -> None:
    assert size_of_pairs(differing=0.2, difference=0.05) == 837


def test_a_planned_trial_finds_its_difference_as_often_as_planned() -> None:
    draw, found = np.random.default_rng(3), 0
    people = size(baseline=0.2, difference=0.1, share=0.5)
    other = [number % 2 == 0 for number in range(people)]
    for _ in range(300):
        happened = draw.random(people) < np.where(other, 0.3, 0.2)
        found += effect(happened.tolist(), other, [str(number) for number in range(people)]).beyond(0.05)
    assert 0.85 < found / 300 < 0.95


def clustered(
    draw: np.random.Generator, *, clusters: int, each: int, shift: float = 0.0
) -> tuple[list[bool], list[bool], list[str]]:
    """Beta-binomial clusters with an ICC of 0.1 about 30 %."""
    share = np.repeat(draw.beta(0.3 * 9, 0.7 * 9, size=clusters), each)
    other = np.repeat(np.arange(clusters) % 2 == 0, each)
    happened = draw.random(clusters * each) < share + shift * other
    return happened.tolist(), other.tolist(), np.repeat(np.arange(clusters), each).astype(str).tolist()


def test_where_there_is_no_difference_its_interval_holds_none_in_95_of_100_even_with_clusters() -> None:
    draw, holds, naive = np.random.default_rng(5), 0, 0
    for _ in range(400):
        happened, other, cluster = clustered(draw, clusters=40, each=20)
        holds += not effect(happened, other, cluster).beyond(0.05)
        naive += not effect(happened, other, [str(number) for number in range(len(cluster))]).beyond(0.05)
    assert 0.92 < holds / 400 < 0.98
    assert naive / 400 < 0.8  # as if nobody shared a clinician


def test_how_alike_the_people_of_a_cluster_are_is_found() -> None:
    happened, other, cluster = clustered(np.random.default_rng(7), clusters=400, each=20)
    assert effect(happened, other, cluster).icc == pytest.approx(0.1, abs=0.02)


def test_for_people_who_are_their_own_clusters_it_is_the_usual_interval() -> None:
    """20 of 100 against 30 of 100; with n - 1 as the divisor of each variance and t at 198 degrees."""
    found = effect(
        [True] * 20 + [False] * 80 + [True] * 30 + [False] * 70,
        [False] * 100 + [True] * 100,
        [str(n) for n in range(200)],
    )
    half = t_quantile(0.975, 198) * (0.2 * 0.8 / 99 + 0.3 * 0.7 / 99) ** 0.5
    assert (found.difference, found.low, found.high) == pytest.approx((0.1, 0.1 - half, 0.1 + half))
    assert found.icc is None


def test_few_clusters_are_said_and_one_gives_no_interval() -> None:
    assert effect([True, False] * 20, [False] * 20 + [True] * 20, [str(n // 5) for n in range(40)]).few
    alone = effect([True, False], [False, True], ["a", "b"])
    assert (alone.difference, alone.percent, alone.beyond(0.05)) == (None, None, False)
    assert effect([], [], []).standing.percent is None


def test_pairs_are_judged_by_those_on_whom_the_ways_differ() -> None:
    found = pairs([True] * 10 + [False] * 90, [True] * 5 + [False] * 80 + [True] * 15)
    assert found.difference == pytest.approx(0.1)
    moved = np.array([0] * 5 + [-1] * 5 + [0] * 75 + [1] * 15)
    assert found.statistic == pytest.approx(moved.mean() / (moved.std(ddof=1) / 10))


@pytest.mark.parametrize(
    ("standing", "other", "wrong"), [(500, 500, False), (480, 520, False), (400, 600, True), (0, 0, False)]
)
def test_a_drawing_that_went_wrong_is_seen(standing: int, other: int, wrong: bool) -> None:
    assert mismatch(standing, other, share=0.5) is wrong


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 12.706), (2, 4.303), (5, 2.571), (30, 2.042), (100, 1.984)])
def test_students_quantiles_are_those_of_the_tables(freedom: int, quantile: float) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(quantile, abs=0.001)


def test_two_models_are_compared_on_the_same_people() -> None:
    draw = np.random.default_rng(2)
    label = draw.random(400) < 0.3
    good, poor = (
        np.clip(0.3 + 0.2 * (label - 0.3) + draw.normal(scale=noise, size=400), 0.01, 0.99) for noise in (0.1, 0.4)
    )
    found = twofold(label.tolist(), poor.tolist(), good.tolist())
    value, low, high = found["AUROC"].difference
    assert value == pytest.approx(found["AUROC"].other[0] - found["AUROC"].standing[0])
    assert 0 < low < value < high
    assert twofold([True] * 3, [0.1] * 3, [0.2] * 3) == {}
