"""Plots for those who look after a model: two versions side by side, drift, and how it does over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from scoring.plots import Spec, Theme


def agreement(table: Sequence[Sequence[int]], lower_ends: Sequence[float], *, theme: Theme) -> Spec:
    """How many answers lay in each pair of probability bands: rows then, columns now; on the diagonal nothing moved."""
    names = _bands(lower_ends)
    cells = [
        {"then": names[row], "now": names[column], "count": count, "moved": row != column}
        for row, counts in enumerate(table)
        for column, count in enumerate(counts)
        if count
    ]
    axis = {"labelAngle": 0, "domain": False, "ticks": False, "grid": True, "bandPosition": 0.5, "tickBand": "extent"}
    encoding = {
        "x": {
            "field": "now",
            "type": "ordinal",
            "scale": {"domain": names},
            "axis": {**axis, "title": "Now, per cent"},
        },
        "y": {
            "field": "then",
            "type": "ordinal",
            "scale": {"domain": names[::-1]},
            "axis": {**axis, "title": "Then, per cent"},
        },
    }
    colour = {"condition": {"test": "datum.moved", "value": theme.lowers}, "value": theme.raises}
    square = {
        "mark": {"type": "rect", "opacity": 0.3},
        "encoding": {"color": colour},
    }
    number = {
        "mark": {"type": "text"},
        "encoding": {"text": {"field": "count", "format": ",d"}},
    }
    return {
        "title": "How many answers had which probability; off the diagonal it moved",
        "width": {"step": 52},
        "height": {"step": 30},
        "data": {"values": cells},
        "encoding": encoding,
        "layer": [square, number],
    }


def _bands(lower_ends: Sequence[float]) -> list[str]:
    """As in "5-10"; the last is open."""
    ends = [f"{100 * end:g}" for end in lower_ends]
    return [*(f"{low}–{high}" for low, high in pairwise(ends)), f"{ends[-1]}+"]
