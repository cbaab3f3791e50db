"""What the plots of a model card show, as short lists of numbers: made once from people, drawn anywhere.

All shares and probabilities are fractions. Each person counts once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring import evaluate
from scoring.evaluate import Labels, Numbers, Ranking, Tally
from scoring.proportion import Share

TENTHS = 10
ROC_STEPS = 100
HIGHEST_TEST_THRESHOLD = 50  # per cent; who wants a 50 % chance before ordering a test is not asking for a screening
BINS = 30  # of log-odds, for the histogram


def curves(
    label: Labels, probability: Numbers, person: NDArray[np.str_], *, seed: int, resamples: int
) -> dict[str, Any]:
    ranking = Ranking(label, probability)
    tally = ranking.tally(np.ones(len(label)))
    return {
        "roc": roc(tally),
        "precision_recall": precision_recall(tally),
        "calibration": calibration(label, probability),
        "decision_curve": decision_curve(ranking, person, seed=seed, resamples=resamples),
        "score_histogram": score_histogram(label, probability),
    }


def roc(tally: Tally) -> dict[str, list[float]]:
    """The highest sensitivity at each 1 - specificity."""
    steps = np.linspace(0, 1, ROC_STEPS + 1)
    found = [float(evaluate.sensitivity_at(tally, specificity=1 - step)) for step in steps.tolist()]
    return {"false_positive_rate": steps.tolist(), "sensitivity": found}


def precision_recall(tally: Tally) -> dict[str, list[float]]:
    """The highest PPV at each sensitivity or more."""
    ill, well = (np.cumsum(part[::-1]) for part in (tally.ill, tally.well))
    precision = np.maximum.accumulate((ill / (ill + well))[::-1])[::-1]
    steps = np.linspace(1 / TENTHS / TENTHS, 1, TENTHS * TENTHS)
    at = np.minimum(np.searchsorted(ill / ill[-1], steps - evaluate.EQUAL), len(ill) - 1)
    return {"sensitivity": steps.tolist(), "ppv": precision[at].tolist()}


def calibration(label: Labels, probability: Numbers) -> dict[str, list[float]]:
    """Tenths of the people by probability: what was said, what was seen, and Wilson's 95 % interval of the latter.

    No bootstrap here: a tenth without a case would get an interval of no width.
    """
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, TENTHS) if len(part)]
    said, seen = ([float(values[part].mean()) for part in parts] for values in (probability, label))
    bounds = [Share(count=int(label[part].sum()), of=len(part)).interval for part in parts]
    low, high = ([bound[end] for bound in bounds] for end in (0, 1))
    return {"predicted": said, "observed": seen, "low": low, "high": high, "n": [len(part) for part in parts]}


def decision_curve(
    ranking: Ranking, person: NDArray[np.str_], *, seed: int, resamples: int
) -> dict[str, list[float | None]]:
    """Net benefit of the model, with its 95 % interval, and of testing everybody; testing nobody is 0."""
    at = [step / 100 for step in range(1, HIGHEST_TEST_THRESHOLD + 1)]

    def measures(weight: Numbers) -> dict[str, Numbers]:
        tally = ranking.tally(weight)
        return {str(threshold): evaluate.net_benefit(tally, threshold) for threshold in at}

    once = np.ones(len(person))
    found = list(evaluate.bootstrap(measures, person, once, seed=seed, count=resamples).values())
    tally = ranking.tally(once)
    return {
        "threshold": list(at),
        "model": [figure.value for figure in found],
        "low": [figure.low for figure in found],
        "high": [figure.high for figure in found],
        "all": [float(evaluate.net_benefit_of_alerting_on_all(tally, threshold)) for threshold in at],
    }


def above(histogram: Mapping[str, Sequence[float]], threshold: float) -> tuple[int, int]:
    """How many with and without the label have at least this probability, by the bands of `score_histogram`.

    Exact at their edges; between two of them in proportion, by log-odds.
    """
    margins = [evaluate.log_odds(np.array([edge]))[0] for edge in (*histogram["edge"], threshold)]
    part = np.clip((np.array(margins[1:-1]) - margins[-1]) / np.diff(margins[:-1]), 0, 1)
    inside = [round(float(np.array(histogram[who]) @ part)) for who in ("with", "without")]
    return inside[0], inside[1]


def score_histogram(label: Labels, probability: Numbers) -> dict[str, list[float]]:
    """How many people with and without the label in each band of probability; the bands are even in log-odds."""
    margin = evaluate.log_odds(probability)
    edges = np.histogram_bin_edges(margin, bins=BINS)
    counts = {name: np.histogram(margin[who], edges)[0] for name, who in (("with", label), ("without", ~label))}
    return {"edge": evaluate.sigmoid(edges).tolist(), **{name: count.tolist() for name, count in counts.items()}}
