"""Who is trained on, who is left out to find the number of trees, who calibrates, who tests.

All rows of a person are on one side. Each split shuffles people anew, so that none of them decides another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.cohorts import Cohort
from scoring.errors import CohortUnusable

TRAINED_ON = 0.75  # of the people, where there is no time to split by
TEST, STOP, CALIBRATE, COMPARE = range(4)  # shuffles


def for_test(cohort: Cohort, *, until: str, seed: int) -> tuple[Cohort, Cohort]:
    """Who is trained on and who tests: people of later periods; without time, others."""
    return cohort.split(until) if until else cohort.split_people(TRAINED_ON, seed=seed + TEST)


def for_comparison(people: Cohort, *, seed: int) -> tuple[Cohort, Cohort]:
    """The same once more among those trained on, so that what is chosen is not chosen on those who test."""
    periods = people.summary()["periods"]
    if len(periods) > 1:
        return people.split(periods[-2])
    return people.split_people(TRAINED_ON, seed=seed + COMPARE)


def left_out(people: Cohort, *, parts: int, shuffle: int, seed: int) -> list[NDArray[np.bool_]]:
    """Each part of the people in turn, as a mask of rows."""
    part = people.part(parts, seed=seed + shuffle)
    found = [part == number for number in range(parts)]
    if any(not 0 < people.label[~out].sum() < (~out).sum() or not out.any() for out in found):
        raise CohortUnusable(f"too few people to leave out a part of {parts} in turn: {len(people)} rows")
    return found


def unseen(cohort: Cohort, facts: Mapping[str, Any]) -> Cohort:
    """Those whom the model of these facts cannot have been trained on."""
    if cohort.source != facts["source"]:
        return cohort
    trained = facts["trained_on"]["periods"]
    new = (
        cohort.where(~np.isin(cohort.period, trained))
        if trained
        else cohort.split_people(TRAINED_ON, seed=facts["seed"] + TEST)[1]
    )
    if not len(new):
        raise CohortUnusable(f"{facts['name']} {facts['version']} was trained on everybody here: {', '.join(trained)}")
    return new
