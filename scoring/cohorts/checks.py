"""What makes a cohort unusable, said in one sentence that names the column. A missing value (nan) is none of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import lgamma, log
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scoring.errors import CohortUnusable

if TYPE_CHECKING:
    from scoring.cohorts import Cohort

LUCK = 1e-6  # a feature that separates the classes perfectly is believed to be lucky down to this chance


def refuse_unusable(cohort: Cohort) -> None:
    """CohortUnusable for the first thing that is wrong."""
    if not len(cohort):
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(cohort.left_out.items()))
        raise CohortUnusable(f"nobody is in the cohort{f' (left out: {reasons})' if reasons else ''}")
    if cohort.label.all() or not cohort.label.any():
        raise CohortUnusable(f"the label is {'yes' if cohort.label.all() else 'no'} in all {len(cohort)} rows")
    if not cohort.sparse:
        refuse("nothing but missing values in", _having(cohort, lambda column: np.isnan(column).all()))
    refuse("infinite values in", _having(cohort, lambda column: np.isinf(column).any()))
    refuse("negative or missing numbers, or nothing but zeros, in", _bad_weights(cohort))
    refuse("the label can be read off", [name for name in cohort.features if _gives_away(cohort, name)])
    if not cohort.repeats and len(set(cohort.person.tolist())) < len(cohort):
        raise CohortUnusable("a person has more than one row in a table that promises one row a person")


def sentence(what: str, columns: Sequence[str]) -> str:
    return f"{what} {', '.join(columns)}"


def refuse(what: str, columns: Sequence[str]) -> None:
    """CohortUnusable, if there are any."""
    if columns:
        raise CohortUnusable(sentence(what, columns))


def _having(cohort: Cohort, fault: Callable[[NDArray[np.float64]], np.bool_]) -> list[str]:
    return [name for name, column in zip(cohort.features, cohort.rows.T, strict=True) if fault(column)]


def _bad_weights(cohort: Cohort) -> list[str]:
    weights = {"weight": cohort.weight, "subsample_weight": cohort.subsample_weight}
    good = {name: (np.isfinite(column) & (column >= 0)).all() and column.any() for name, column in weights.items()}
    return [name for name, fine in good.items() if not fine]


def _gives_away(cohort: Cohort, name: str) -> bool:
    """Do its values, or their being missing, tell the label everywhere, and not by luck?"""
    column = cohort.rows[:, cohort.features.index(name)]
    known = ~np.isnan(column)
    return _separates(column[known], cohort.label[known]) or _separates(known.astype(np.float64), cohort.label)


def _separates(column: NDArray[np.float64], label: NDArray[np.bool_]) -> bool:
    """Is everybody with the label on one side of a cut and everybody without on the other?"""
    ill, well = column[label], column[~label]
    if not len(ill) or not len(well) or _luck(len(ill), len(well)) > LUCK:
        return False
    return bool(ill.min() > well.max() or ill.max() < well.min())


def _luck(ill: int, well: int) -> float:
    """The chance that a shuffled column separates that many: 2 of the (ill + well) over (ill) orders do."""
    orders = lgamma(ill + well + 1) - lgamma(ill + 1) - lgamma(well + 1)
    return float(np.exp(min(0.0, log(2) - orders)))


def refuse_missing(columns: Iterable[str], *, needed: Iterable[str], where: str) -> None:
    """CohortUnusable naming the columns that a table lacks."""
    there = set(columns)
    refuse(f"{where} has no column", [name for name in needed if name not in there])
