"""Plots for those who look after a model: two versions side by side, drift, and how it does over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from scoring.drift import ALARM, WATCH
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
    encoding = {"x": _band_axis("now", names), "y": _band_axis("then", names[::-1])}
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


def _band_axis(field: str, names: list[str]) -> Spec:
    axis = {"labelAngle": 0, "domain": False, "ticks": False, "grid": True, "bandPosition": 0.5, "tickBand": "extent"}
    title = f"{field.capitalize()}, per cent"
    return {"field": field, "type": "ordinal", "scale": {"domain": names}, "axis": {**axis, "title": title}}


def _bands(lower_ends: Sequence[float]) -> list[str]:
    """As in "5-10"; the last is open."""
    ends = [f"{100 * end:g}" for end in lower_ends]
    return [*(f"{low}–{high}" for low, high in pairwise(ends)), f"{ends[-1]}+"]


def drift(shifts: Sequence[Mapping[str, Any]], *, width: int, theme: Theme) -> Spec:
    """PSI of each column, the largest first, with the two conventional limits.

    Names stand above their bars: to the left a long one would be cut off, and more so in a font that is wider than ours.
    """
    rows = [
        {"feature": shift["feature"], "psi": shift["psi"], "level": shift["level"]}
        for shift in shifts
        if shift["psi"] is not None
    ]
    top = max([ALARM * 1.3, *(row["psi"] for row in rows)])
    x = {"type": "quantitative", "scale": {"domain": [0, top]}, "axis": {"title": "PSI", "tickCount": 4}}
    y = {"field": "feature", "type": "nominal", "sort": [row["feature"] for row in _largest_first(rows)], "axis": None}
    bar = {
        "data": {"values": rows},
        "mark": {"type": "bar", "height": 12, "yOffset": 6},
        "encoding": {
            "x": {"field": "psi", **x},
            "y": y,
            "color": {"condition": {"test": "datum.level != ''", "value": theme.lowers}, "value": theme.raises},
        },
    }
    name = {
        "data": {"values": rows},
        "mark": {"type": "text", "align": "left", "dx": 2, "dy": -9},
        "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "feature"}},
    }
    return {
        "title": {"text": "How far each column has moved", "offset": 18},
        "width": width,
        "height": {"step": 34},
        "layer": [bar, *_limits(x, theme), name],
    }


def _largest_first(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: -row["psi"])


def _limits(x: Spec, theme: Theme) -> list[Spec]:
    """Lines, and their names above them, away from each other: where columns have moved far the lines are close together."""
    at = {"x": {"field": "at", **x}}
    rule = {"mark": {"type": "rule", "strokeDash": [4, 3], "color": theme.quiet}, "encoding": at}
    lines = {"data": {"values": [{"at": WATCH}, {"at": ALARM}]}, **rule}
    return [lines, _limit("watch", WATCH, at, align="right", theme=theme), _limit("alarm", ALARM, at, theme=theme)]


def _limit(name: str, value: float, at: Spec, *, align: str = "left", theme: Theme) -> Spec:
    away = 3 if align == "left" else -3
    return {
        "data": {"values": [{"at": value, "text": name}]},
        "mark": {"type": "text", "align": align, "dx": away, "dy": -6, "color": theme.quiet},
        "encoding": {**at, "y": {"value": 0}, "text": {"field": "text"}},
    }


def psi_over_time(looks: Sequence[Mapping[str, Any]], *, width: int, theme: Theme) -> Spec:
    """One small line a column: `looks` are rows of when (ISO), feature and PSI. Dashed: the two conventional limits."""
    last = {look["feature"]: look["psi"] for look in looks}
    names = sorted(last, key=lambda name: -last[name])
    top = max([ALARM * 1.3, *(look["psi"] for look in looks)])
    y = {"type": "quantitative", "scale": {"domain": [0, top]}, "axis": {"title": None, "values": [0, ALARM]}}
    x = {
        "field": "when",
        "type": "temporal",
        "axis": {"title": None, "format": "%-d %b", "tickCount": 3, "grid": False},
    }
    limits = [
        {"mark": {"type": "rule", "strokeDash": [4, 3], "color": theme.quiet}, "encoding": {"y": {"datum": at, **y}}}
        for at in (WATCH, ALARM)
    ]
    line = {
        "mark": {"type": "line", "point": {"size": 12, "color": theme.raises}, "color": theme.raises},
        "encoding": {"x": x, "y": {"field": "psi", **y}},
    }
    header = {"title": None, "labelAngle": 0, "labelAlign": "left", "labelOrient": "top", "labelAnchor": "start"}
    return {
        "title": {"text": "PSI at each look", "subtitle": "the largest now first", "subtitleColor": theme.quiet},
        "data": {"values": list(looks)},
        "facet": {
            "row": {"field": "feature", "type": "nominal", "sort": names, "header": {**header, "labelPadding": 2}}
        },
        "spacing": 8,
        "spec": {"width": width, "height": 34, "layer": [*limits, line]},
    }


def over_time(periods: Sequence[Mapping[str, Any]], *, width: int, theme: Theme) -> Spec:
    """Calibration and AUROC of each month in which outcomes are known, with their 95 % intervals."""
    panels = (
        ("observed_expected", "Observed/expected (1 is right)", 1.0),
        ("auroc", "AUROC (0.5 is chance)", 0.5),
    )
    return {"vconcat": [_panel(periods, *panel, width=width, theme=theme) for panel in panels], "spacing": 24}


def _panel(
    periods: Sequence[Mapping[str, Any]], name: str, title: str, level: float, *, width: int, theme: Theme
) -> Spec:
    rows = [{"period": one["period"], **one[name]} for one in periods if one[name]]
    x = {"field": "period", "type": "ordinal", "axis": {"title": None, "labelAngle": -40}}
    y = {"type": "quantitative", "scale": {"zero": False}, "axis": {"title": None, "tickCount": 4}}
    whisker = {
        "mark": {"type": "rule", "color": theme.raises, "strokeWidth": 2},
        "encoding": {"x": x, "y": {"field": "low", **y}, "y2": {"field": "high"}},
    }
    point = {
        "mark": {"type": "point", "filled": True, "size": 60, "color": theme.raises, "opacity": 1},
        "encoding": {"x": x, "y": {"field": "value", **y}},
    }
    right = {
        "data": {"values": [{"level": level}]},
        "mark": {"type": "rule", "strokeDash": [4, 3], "color": theme.lowers},
        "encoding": {"y": {"field": "level", **y}},
    }
    return {"title": title, "width": width, "height": 130, "data": {"values": rows}, "layer": [right, whisker, point]}
