"""Figures as Markdown: tables, intervals, shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scoring.groups import FEWEST_SHOWN

Facts = Mapping[str, Any]
SMALL = f"fewer than {FEWEST_SHOWN}, or hidden with them"


def table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def interval(figure: Facts, digits: int = 2) -> str:
    if figure["value"] is None:
        return "none"
    return f"{figure['value']:.{digits}f} [{figure['low']:.{digits}f}, {figure['high']:.{digits}f}]"


def number(value: float | None, digits: int = 2) -> str:
    return "none" if value is None else f"{value:.{digits}f}"


def percent(figure: Facts, digits: int = 0) -> str:
    """A fraction with its interval, in per cent."""
    if figure["value"] is None:
        return "none"
    value, low, high = (f"{100 * figure[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} % [{low}, {high}]"


def share(value: float | None, digits: int = 0) -> str:
    return "none" if value is None else f"{100 * value:.{digits}f} %"


def cases(figures: Facts) -> str:
    """Cases of people, as far as they are shown."""
    if figures["n"] is None:
        return SMALL
    return f"{SMALL if figures['events'] is None else figures['events']}/{figures['n']}"


def periods(summary: Facts) -> str:
    """From the first to the last; "" where there is no time."""
    years = summary["periods"]
    return f"{years[0][:4]}-{years[-1][-4:]}" if years else ""


def signed(value: float, digits: int = 3) -> str:
    return f"{value:+.{digits}f}"
