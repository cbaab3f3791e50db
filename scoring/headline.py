"""The few figures by which two versions of a model are compared, read from whatever their facts hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Facts = Mapping[str, Any]
UNKNOWN = "not measured"


class Measure(NamedTuple):
    """Where a figure stands in facts["performance"]["unweighted"], and how it is written."""

    path: str
    decimals: int
    percent: bool = False


_MEASURES = {
    "AUROC": Measure("auroc", 3),
    "Observed/expected": Measure("observed_expected", 2),
    "Calibration slope": Measure("calibration_slope", 2),
    "Brier score": Measure("brier", 4),
    "Alerts of 100 people at its threshold": Measure("at_threshold/alerts_per_100", 1),
    "Cases found at its threshold (sensitivity)": Measure("at_threshold/sensitivity", 0, percent=True),
    "Alerts that are cases (PPV)": Measure("at_threshold/ppv", 0, percent=True),
}


def headline(facts: Facts) -> dict[str, str]:
    """Title -> figure with its 95 % interval, each person counted once."""
    table = facts.get("performance", {}).get("unweighted", {})
    figures = {title: _figure(_at(table, measure.path), measure) for title, measure in _MEASURES.items()}
    threshold = facts.get("threshold")
    return {
        "Measured on": people(facts.get("validated_on", {})),
        **figures,
        "Its own threshold": UNKNOWN if threshold is None else f"{100 * threshold:.3g} %",
    }


def people(summary: Facts) -> str:
    """Of whom figures are."""
    if "n" not in summary:
        return UNKNOWN
    periods = ", ".join(summary.get("periods", ()))
    return f"{summary['n']} people{f' of {periods}' if periods else ''}, {summary['events']} with the label"


def _at(table: Any, path: str) -> Any:
    for key in path.split("/"):
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def _figure(found: Any, measure: Measure) -> str:
    """A number, or one with its interval."""
    numbers = [found[key] for key in ("value", "low", "high")] if isinstance(found, Mapping) else [found]
    if None in numbers:
        return UNKNOWN
    value, *interval = (f"{100 * one if measure.percent else one:.{measure.decimals}f}" for one in numbers)
    unit = " %" if measure.percent else ""
    return f"{value}{unit} [{'–'.join(interval)}]" if interval else f"{value}{unit}"
