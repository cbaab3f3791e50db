"""Why: the factors of an estimate as rows of a table and as the steps of a waterfall, from the same numbers."""

from __future__ import annotations

from dataclasses import dataclass

from cds.finding import Estimate, Factor
from cds.words import Frequency, day, measured, signed
from scoring.shelf import sigmoid

_NAMED = 6  # steps of the plot that stand alone; the table has them all


@dataclass(frozen=True, kw_only=True)
class Row:
    """One factor, as the table prints it."""

    label: str
    value: str
    day: str
    log_odds: str
    points: str
    raises: bool
    modifiable: bool
    source: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One bar of the waterfall, in log-odds."""

    label: str
    start: float
    end: float

    @property
    def contribution(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, kw_only=True)
class Why:
    """From the base, the survey's usual, to this person."""

    rows: tuple[Row, ...]
    base: str
    base_percent: str
    total: str
    total_percent: str
    modifiable: bool


def why(estimate: Estimate) -> Why:
    ranked = _ranked(estimate)
    return Why(
        rows=tuple(_row(factor) for factor in ranked),
        base=signed(estimate.base, decimals=2),
        base_percent=Frequency(probability=sigmoid(estimate.base)).percent,
        total=signed(estimate.margin, decimals=2),
        total_percent=Frequency(probability=estimate.probability).percent,
        modifiable=any(row.modifiable and row.value for row in map(_row, ranked)),
    )


def steps(estimate: Estimate) -> list[Step]:
    """The largest contributions, then all others in one step; the last one ends at the margin."""
    ranked = _ranked(estimate)
    parts = [(_name(factor), factor.contribution) for factor in ranked[:_NAMED]]
    if rest := ranked[_NAMED:]:
        parts.append((f"{len(rest)} others together", sum(factor.contribution for factor in rest)))
    found, start = [], estimate.base
    for label, contribution in parts:
        found.append(Step(label=label, start=start, end=start + contribution))
        start += contribution
    return found


def in_words(estimate: Estimate) -> str:
    """The waterfall's text alternative."""
    told = [f"{step.label} {'raises' if step.contribution > 0 else 'lowers'} it" for step in steps(estimate)]
    usual, person = (Frequency(probability=value).percent for value in (sigmoid(estimate.base), estimate.probability))
    return f"From {usual}, the model's starting point, to {person} for this person. {'; '.join(told)}. The table has all numbers."


def _ranked(estimate: Estimate) -> list[Factor]:
    return sorted(estimate.factors, key=lambda factor: -abs(factor.contribution))


def _name(factor: Factor) -> str:
    """Value with unit and date, not a feature's name."""
    if factor.quantity is None or factor.when is None:
        return f"{factor.label}: {factor.text}"
    return f"{factor.label} {measured(factor.quantity)} ({day(factor.when)})"


def _row(factor: Factor) -> Row:
    return Row(
        label=factor.label,
        value=measured(factor.quantity) if factor.quantity else factor.text,
        day=day(factor.when) if factor.when else "",
        log_odds=signed(factor.contribution, decimals=2),
        points=signed(factor.points * 100, decimals=1),
        raises=factor.contribution > 0,
        modifiable=factor.modifiable and factor.quantity is not None,
        source=factor.source,
    )
