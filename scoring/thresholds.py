"""From which probability on there is an alert: declared as what an alert may cost, or must find, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring import evaluate
from scoring.evaluate import Labels, Numbers, Ranking, Tally

DECIMALS = 3  # as many as a person sets in the admin


@dataclass(frozen=True, kw_only=True)
class AlertsPer100:
    """As low as it can be with no more alerts than these."""

    at_most: float

    def __str__(self) -> str:
        return f"at most {self.at_most:g} alerts per 100 people"

    def choose(self, tally: Tally) -> float:
        everybody = tally.ill.sum() + tally.well.sum()
        alerts = 100 * np.cumsum((tally.ill + tally.well)[::-1])[::-1] / everybody
        few = tally.score[alerts <= self.at_most + evaluate.EQUAL]
        return _up(few[0]) if len(few) else 1.0


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """As high as it can be while it finds this share of the cases."""

    at_least: float  # a fraction

    def __str__(self) -> str:
        return f"at least {100 * self.at_least:g} % of the cases found"

    def choose(self, tally: Tally) -> float:
        return _down(tally.score[tally.found[:-1] >= self.at_least - evaluate.EQUAL][-1])


@dataclass(frozen=True, kw_only=True)
class NetBenefit:
    """Where one case found is worth this many needless alerts.

    With probabilities that are calibrated that is 1 / (1 + needless): Pauker & Kassirer, N Engl J Med 1980;302:1109,
    Vickers & Elkin, Med Decis Making 2006;26:565. The threshold that did best in some sample would add only its noise.
    """

    needless_per_case: float

    def __str__(self) -> str:
        return f"one case found is worth {self.needless_per_case:g} needless alerts (net benefit)"

    def choose(self, tally: Tally) -> float:
        return 1 / (1 + self.needless_per_case)


@dataclass(frozen=True, kw_only=True)
class BestF1:
    """What the literature often takes: it knows nothing of what an alert costs. Reported, not for a shipped model."""

    def __str__(self) -> str:
        return "the highest F1"

    def choose(self, tally: Tally) -> float:
        found = np.cumsum(tally.ill[::-1])[::-1]
        alerts = found + np.cumsum(tally.well[::-1])[::-1]
        return _down(tally.score[np.argmax(2 * found / (tally.ill.sum() + alerts))])


Threshold = AlertsPer100 | Sensitivity | NetBenefit
USUAL = (AlertsPer100(at_most=5), Sensitivity(at_least=0.8), NetBenefit(needless_per_case=9), BestF1())


def choose(rule: Threshold, *, label: Labels, probability: Numbers, weight: Numbers) -> dict[str, Any]:
    """The threshold by this rule, and beside it what the usual other rules would have chosen on the same people."""
    tally = Ranking(label, probability).tally(weight)
    others = [other for other in USUAL if str(other) != str(rule)]
    return {
        "threshold": rule.choose(tally),
        "threshold_rule": str(rule),
        "thresholds": [_row(each, tally, shipped=each is rule) for each in (rule, *others)],
    }


def _row(rule: Threshold | BestF1, tally: Tally, *, shipped: bool) -> dict[str, Any]:
    threshold = rule.choose(tally)
    found = {name: float(value) for name, value in evaluate.at_threshold(tally, threshold).items()}
    known = {name: value if np.isfinite(value) else None for name, value in found.items()}
    return {"rule": str(rule), "threshold": threshold, "shipped": shipped, **known}


def _up(value: float) -> float:
    return float(np.ceil(value * 10**DECIMALS) / 10**DECIMALS)


def _down(value: float) -> float:
    return float(np.floor(value * 10**DECIMALS) / 10**DECIMALS)
