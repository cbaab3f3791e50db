"""How a figure differs from group to group, as a forest plot: one row a group, with its 95 % interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scoring.headline import Facts, by_group
from scoring.plots import Spec, Theme

WIDTHS = {"wide": 380, "narrow": 190}
_ROW = 22


@dataclass(frozen=True, kw_only=True)
class Forest:
    """One figure; `measure` is its title in `headline`, `reference` where a vertical line helps to read it."""

    measure: str
    title: str
    axis: str
    reference: float | None = None

    def rows(self, facts: Facts) -> list[dict[str, str | float]]:
        """Groups too small to be measured have none."""
        return [
            {"group": f"{by}: {name}", "value": found["value"], "low": found["low"], "high": found["high"]}
            for measure, by, name, found in by_group(facts)
            if measure == self.measure
        ]

    def says(self, facts: Facts) -> str:
        """The plot in words."""
        rows = sorted(self.rows(facts), key=lambda row: row["value"])
        low, high = rows[0], rows[-1]
        return f"{self.axis}: lowest in {low['group']} ({low['value']:.2f}), highest in {high['group']} ({high['value']:.2f})."

    def spec(self, facts: Facts, *, size: str, theme: Theme) -> Spec:
        label = "datum.label" if size == "wide" else "split(datum.label, ': ')[1]"  # or it would be cut off
        y: Spec = {
            "field": "group",
            "type": "nominal",
            "sort": None,
            "axis": {"title": None, "labelExpr": label, "labelLimit": 200, "ticks": False, "domain": False},
        }
        x: Spec = {"type": "quantitative", "scale": {"zero": False}, "axis": {"title": self.axis, "tickCount": 5}}
        interval: Spec = {"mark": {"type": "rule", "color": theme.raises, "strokeWidth": 2}}
        point: Spec = {"mark": {"type": "point", "filled": True, "size": 60, "color": theme.raises, "opacity": 1}}
        layers: list[Spec] = [
            {**interval, "encoding": {"y": y, "x": {**x, "field": "low"}, "x2": {"field": "high"}}},
            {**point, "encoding": {"y": y, "x": {**x, "field": "value"}}},
        ]
        if self.reference is not None:
            line = {"type": "rule", "color": theme.lowers, "strokeDash": [4, 3]}
            layers.append({"mark": line, "encoding": {"x": {"datum": self.reference, "type": "quantitative"}}})
        return {
            "title": self.title,
            "padding": {"left": 30, "right": 12, "top": 5, "bottom": 5},  # browsers' fonts run wider than ours
            "width": WIDTHS[size],
            "height": {"step": _ROW},
            "data": {"values": self.rows(facts)},
            "layer": layers,
        }


FORESTS: Mapping[str, Forest] = {
    "ranking-by-group": Forest(measure="AUROC", title="How well it ranks, by group", axis="AUROC, 95 % interval"),
    "calibration-by-group": Forest(
        measure="Observed/expected",
        title="Is it right on average, by group? Above 1 it says too little",
        axis="Observed/expected, 95 % interval",
        reference=1,
    ),
}


def drawable(facts: Facts) -> dict[str, Forest]:
    """Those for which the facts hold the figures."""
    return {name: forest for name, forest in FORESTS.items() if forest.rows(facts)}
