"""Does the model serve every group of people alike? Small numbers are left out, so that no figure tells of a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from scoring import evaluate
from scoring.cohorts import Cohort
from scoring.evaluate import Interval, Measures, Numbers, Ranking

FEWEST_EVENTS = 20  # below, a group's figures would be noise, and a resample could hold no event at all
FEWEST_SHOWN = 11  # CMS Cell Size Suppression Policy: 1 to 10 are not shown, nor what would give them away
Bootstrap = Callable[[Cohort, Measures], Mapping[str, Interval]]
Figures = dict[str, Any]


def by_group(
    cohort: Cohort, probability: Numbers, *, threshold: float, bootstrap: Bootstrap
) -> dict[str, dict[str, Figures]]:
    """Of each kind of group, each group's figures; a count is None where it is too small to be shown."""
    return {
        kind: {
            value: counts | _figures(part, chance, threshold=threshold, bootstrap=bootstrap)
            for (value, (part, chance)), counts in zip(parts.items(), _counts(parts), strict=True)
        }
        for kind in cohort.groups
        for parts in [_parts(cohort, probability, kind)]
    }


def _parts(cohort: Cohort, probability: Numbers, kind: str) -> dict[str, tuple[Cohort, Numbers]]:
    column = cohort.groups[kind]
    return {str(value): (cohort.where(column == value), probability[column == value]) for value in np.unique(column)}


def _counts(parts: Mapping[str, tuple[Cohort, Numbers]]) -> list[Figures]:
    people = shown([len(np.unique(part.person)) for part, _ in parts.values()])
    events = shown([int(part.label.sum()) for part, _ in parts.values()])
    return [
        {"n": None if n is None else len(part), "events": None if n is None else ill}
        for (part, _), n, ill in zip(parts.values(), people, events, strict=True)
    ]


def shown(counts: list[int]) -> list[int | None]:
    """The counts without the small ones. A single one could be had by subtraction: then the next smallest goes too."""
    small = {place for place, count in enumerate(counts) if 0 < count < FEWEST_SHOWN}
    others = [place for place, count in enumerate(counts) if count >= FEWEST_SHOWN]
    if len(small) == 1 and others:
        small.add(min(others, key=counts.__getitem__))
    return [None if place in small else count for place, count in enumerate(counts)]


def _figures(part: Cohort, probability: Numbers, *, threshold: float, bootstrap: Bootstrap) -> Figures:
    if min(part.label.sum(), (~part.label).sum()) < FEWEST_EVENTS:
        return {}
    ranking, ratio = Ranking(part.label, probability), evaluate.observed_expected(part.label, probability)

    def measures(weight: Numbers) -> dict[str, Numbers]:
        tally = ranking.tally(weight)
        figures = {"auroc": evaluate.area_under_roc(tally), "observed_expected": ratio(weight)}
        return figures | evaluate.at_threshold(tally, threshold)

    found = {name: asdict(figure) for name, figure in bootstrap(part, measures).items()}
    alone = {name: found.pop(name) for name in ("auroc", "observed_expected")}
    return {**alone, "at_threshold": found}


def gaps(groups: Mapping[str, Mapping[str, Figures]]) -> dict[str, dict[str, float]]:
    """How far apart the groups of a kind are at the threshold, as fractions; in fairlearn's terms."""
    found = {}
    for kind, values in groups.items():
        measured = [figures["at_threshold"] for figures in values.values() if "at_threshold" in figures]
        if len(measured) > 1:
            alerts = _range([figures["alerts_per_100"]["value"] / 100 for figures in measured])
            sensitivity = _range([figures["sensitivity"]["value"] for figures in measured])
            specificity = _range([figures["specificity"]["value"] for figures in measured])
            found[kind] = {
                "demographic_parity_difference": alerts,
                "equal_opportunity_difference": sensitivity,
                "equalized_odds_difference": max(sensitivity, specificity),
            }
    return found


def _range(values: list[float]) -> float:
    return max(values) - min(values)
