"""The plot of a trial: the difference between its arms at each look, with its 95 % interval."""

from __future__ import annotations

from collections.abc import Sequence

from scoring.plots import Spec, Theme
from scoring.trials import Effect


def differences(looks: Sequence[tuple[str, bool, Effect]], *, width: int, theme: Theme) -> Spec:
    """One row a look: its name, whether it was planned, what was found; in points of per cent, dashed where nothing differs."""
    rows = [
        {"look": name, "planned": planned, "value": known[0], "low": known[1], "high": known[2]}
        for name, planned, found in looks
        if (known := found.percent)
    ]
    x = {"type": "quantitative", "axis": {"title": "Other way minus the one in force", "tickCount": 5}}
    y = {"field": "look", "type": "nominal", "sort": None, "axis": {"title": None, "labelLimit": 150}}
    colour = {"condition": {"test": "datum.planned", "value": theme.raises}, "value": theme.quiet}
    return {
        "title": "Difference in points, with 95 % intervals",
        "padding": {"left": 16, "right": 16, "top": 5, "bottom": 5},
        "width": width,
        "height": {"step": 30},
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "rule", "strokeDash": [4, 3], "color": theme.lowers},
                "encoding": {"x": {"datum": 0, **x}},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}, "y": y, "color": colour},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
                "encoding": {"x": {"field": "value", **x}, "y": y, "color": colour},
            },
        ],
    }
