"""The few figures by which two versions of a model are compared, read from whatever their facts hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Facts = Mapping[str, Any]
UNKNOWN = "not measured"


class Measure(NamedTuple):
    """What is measured, and how it is written; `value` is a number, or one with its 95 % interval, or not known."""

    title: str
    decimals: int
    percent: bool = False
    value: Any = None


# Where it stands in facts["performance"]["unweighted"] -> what it is.
_MEASURES = {
    "auroc": Measure("AUROC", 3),
    "observed_expected": Measure("Observed/expected", 2),
    "calibration_slope": Measure("Calibration slope", 2),
    "brier": Measure("Brier score", 4),
    "at_threshold/alerts_per_100": Measure("Alerts of 100 people at its threshold", 1),
    "at_threshold/sensitivity": Measure("Cases found at its threshold (sensitivity)", 0, percent=True),
    "at_threshold/ppv": Measure("Alerts that are cases (PPV)", 0, percent=True),
}
_AT_HOME = ("auroc", "observed_expected")


def headline(facts: Facts) -> dict[str, str]:
    """Title -> figure with its 95 % interval, each person counted once."""
    threshold = facts.get("threshold")
    of, first = people(facts.get("validated_on", {})), first_version(facts)
    return {
        "Measured on": f"{of}; of {first}, before it was renewed" if first else of,
        **{measure.title: _written(measure) for measure in figures(facts).values()},
        "Its own threshold": UNKNOWN if threshold is None else f"{100 * threshold:.3g} %",
    }


def figures(facts: Facts) -> dict[str, Measure]:
    """The same as numbers; fractions are not made per cent."""
    table = facts.get("performance", {}).get("unweighted", {})
    return {path: measure._replace(value=_known(_at(table, path))) for path, measure in _MEASURES.items()}


def first_version(facts: Facts) -> str:
    """Of a version that was renewed, perhaps more than once: the one that its own figures are of. "" for all others."""
    return str(facts.get("renewed", {}).get("from", "")).partition("+")[0]


def at_home(facts: Facts) -> list[dict[str, str]]:
    """Of a version that was renewed, and of the one it came from: what the hospital's own held-out cases said. Else []."""
    renewed = facts.get("renewed", {})
    late = renewed.get("held_out", {})
    return [
        {
            "Version": f"{renewed['from']}, before" if name == "live" else facts["version"],
            "Measured on": f"{late['people']} people here, {late['events']} with the label",
            **{_MEASURES[path].title: _written(_MEASURES[path]._replace(value=found.get(path))) for path in _AT_HOME},
        }
        for name, found in renewed.get("figures", {}).items()
        if name in {"live", renewed["how"]}
    ]


def by_group(facts: Facts) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Measure, what people are grouped by, group, figure with its interval; groups too small to measure have none."""
    for path in ("auroc", "observed_expected"):
        for by, groups in facts.get("by_group", {}).items():
            for name, found in groups.items():
                if _known(found.get(path)) is not None:
                    yield _MEASURES[path].title, by, name, found[path]


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


def _known(found: Any) -> Any:
    """None where a figure, or an end of its interval, could not be had."""
    numbers = [found.get(key) for key in ("value", "low", "high")] if isinstance(found, Mapping) else [found]
    return None if None in numbers else found


def _written(measure: Measure) -> str:
    found = measure.value
    if found is None:
        return UNKNOWN
    numbers = [found[key] for key in ("value", "low", "high")] if isinstance(found, Mapping) else [found]
    value, *interval = (f"{100 * one if measure.percent else one:.{measure.decimals}f}" for one in numbers)
    unit = " %" if measure.percent else ""
    return f"{value}{unit} [{'–'.join(interval)}]" if interval else f"{value}{unit}"
