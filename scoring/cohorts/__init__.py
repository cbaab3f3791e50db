"""Cohorts: people as rows of numbers, with the answer known, to train and to measure on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b, sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.cohorts.checks import refuse_unusable, sentence
from scoring.errors import CohortUnusable

Numbers = NDArray[np.float64]
Texts = NDArray[np.str_]


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Arrays of one length, a row for each time somebody was looked at. `groups` are for reporting only."""

    source: str
    sha256: str  # of what was read
    features: tuple[str, ...]  # the names of the columns of `rows`
    rows: Numbers  # nan is missing
    label: NDArray[np.bool_]
    person: Texts  # who; rows of one person stay together in every split and every resample
    repeats: bool = False  # may a person have several rows?
    sparse: bool = False  # may a feature be missing from all rows, as charts may never hold it?
    period: Texts = field(
        default_factory=lambda: np.array([], dtype=np.str_)
    )  # sorts by time; "" where time is unknown
    weight: Numbers = field(default_factory=lambda: np.array([]))  # to the population, mean 1 in each period; else ones
    subsample_weight: Numbers = field(default_factory=lambda: np.array([]))  # a survey's own; 0 outside its subsample
    groups: Mapping[str, Texts] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)  # why people are not in it -> how many

    def __post_init__(self) -> None:
        self._fill("period", np.full(len(self), "", dtype=np.str_))
        self._fill("weight", np.ones(len(self)))
        self._fill("subsample_weight", np.ones(len(self)))
        columns = (self.label, self.person, self.period, self.weight, self.subsample_weight, *self.groups.values())
        if any(len(column) != len(self) for column in columns):
            raise CohortUnusable("columns of different lengths")
        if self.rows.shape != (len(self), len(self.features)):
            raise CohortUnusable(f"{len(self.features)} features are named for rows of shape {self.rows.shape}")

    def _fill(self, name: str, column: NDArray[Any]) -> None:
        if not len(getattr(self, name)):
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return len(self.rows)

    def checked(self, features: Sequence[str]) -> Cohort:
        """With exactly these features in this order, and fit to learn from or to measure on; else CohortUnusable."""
        missing = [name for name in features if name not in self.features]
        if missing:
            raise CohortUnusable(sentence("the table has no column for", missing))
        places = [self.features.index(name) for name in features]
        chosen = replace(self, features=tuple(features), rows=self.rows[:, places])
        refuse_unusable(chosen)
        return chosen

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Cohort:
        """The chosen rows, by a mask or by their places (again and again, if a place is named again)."""
        return replace(
            self,
            rows=self.rows[chosen],
            label=self.label[chosen],
            person=self.person[chosen],
            period=self.period[chosen],
            weight=self.weight[chosen],
            subsample_weight=self.subsample_weight[chosen],
            groups={name: column[chosen] for name, column in self.groups.items()},
        )

    def with_rows(self, rows: Numbers) -> Cohort:
        return replace(self, rows=rows)

    def summary(self) -> dict[str, Any]:
        """Which periods, how many rows, how many with the label, and how many people where that differs."""
        periods = sorted(set(self.period.tolist()) - {""})
        people = {"people": len(set(self.person.tolist()))} if self.repeats else {}
        return {"periods": periods, "n": len(self), "events": int(self.label.sum()), **people}

    def split(self, last_for_training: str) -> tuple[Cohort, Cohort]:
        """By time: up to and including that period, and everything later of other people."""
        early = self.period <= last_for_training
        late = ~early & ~np.isin(self.person, self.person[early])
        if not early.any() or not late.any():
            raise CohortUnusable(f"nothing on one side of {last_for_training}")
        return self.where(early), self.where(late)

    def split_people(self, share: float, *, seed: int) -> tuple[Cohort, Cohort]:
        """By person: about this share of them, and the others. Who goes where does not change as others join."""
        first = np.array([_place(person, seed=seed) < share for person in self.person.tolist()], dtype=np.bool_)
        if first.all() or not first.any():
            raise CohortUnusable(f"too few people to set {share:.0%} of them apart")
        return self.where(first), self.where(~first)

    def part(self, parts: int, *, seed: int) -> NDArray[np.int64]:
        """Which of so many about equal parts of the people each row belongs to: 0, 1, ..."""
        return np.array([int(parts * _place(person, seed=seed)) for person in self.person.tolist()], dtype=np.int64)


def content_hash(rows: Numbers, label: NDArray[np.bool_]) -> str:
    """sha256 of what was read, wherever it was read from."""
    return sha256(rows.tobytes() + label.tobytes()).hexdigest()


def texts(words: Iterable[str]) -> Texts:
    return np.array(list(words), dtype=np.str_)


def _place(person: str, *, seed: int) -> float:
    """Where in [0, 1) this person stands in this shuffle."""
    return int.from_bytes(blake2b(f"{seed} {person}".encode(), digest_size=8).digest()) / 2**64
