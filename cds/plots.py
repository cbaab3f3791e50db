"""Plots as SVG from Vega-Lite specifications: the same numbers as the table, in light and dark, wide and narrow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cds.context import PatientContext
from cds.facts import Observed
from cds.finding import Estimate
from cds.service import Trend
from cds.why import Step, steps
from cds.words import Frequency, number, signed, unit
from scoring.plots import Spec, Theme
from scoring.shelf import sigmoid

# Probabilities on the waterfall's axis; Vega leaves out labels that would touch.
_TICKS = (0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
_LEAST_SPAN = 2.0  # log-odds
_BAR, _ROW = 14, {"wide": 26, "narrow": 38}
_WIDTH = {"wide": 380, "narrow": 300}
SIZES = tuple(_WIDTH)


# --- The waterfall -----------------------------------------------------------------------------------------------
def waterfall(estimate: Estimate, *, size: str, theme: Theme) -> Spec:
    """From the model's starting point to this person; bars add up in log-odds, the axis reads in probability.

    Raising bars are solid and point right, lowering ones are hollow, dashed and point left.
    """
    found = steps(estimate)
    order = ["Starting point", *(step.label for step in found), "This person"]
    narrow = size == "narrow"
    label = None if narrow else {"title": None, "labelLimit": 280, "minExtent": 265, "ticks": False, "domain": False}
    y = {"field": "label", "type": "nominal", "sort": None, "scale": {"domain": order}, "axis": label}
    layers = [*_ends(estimate, y, theme), *_bars(found, y, theme)]
    if narrow:
        layers.append(_labels_above(order, y))
    return {
        "title": {"text": "What moves the estimate", "offset": 18 if narrow else 6},
        "width": _WIDTH[size],
        "height": {"step": _ROW[size]},
        "encoding": {"x": _probability_axis(estimate, found)},
        "layer": layers,
    }


def _probability_axis(estimate: Estimate, found: Sequence[Step]) -> Spec:
    marks = [estimate.base, estimate.margin, *(step.end for step in found)]
    span = max(marks) - min(marks)
    if span < _LEAST_SPAN:  # or a small difference would look like a large one
        marks = [min(marks) - (_LEAST_SPAN - span) / 2, max(marks) + (_LEAST_SPAN - span) / 2]
        span = _LEAST_SPAN
    low, high = min(marks) - 0.12 * span, max(marks) + 0.22 * span  # room for the numbers beside the bars
    ticks = [value for value in (math.log(p / (1 - p)) for p in _TICKS) if low <= value <= high]
    percent = "format(1 / (1 + exp(-datum.value)), '.1~%')"
    axis = {"values": ticks, "labelExpr": percent, "title": "Probability, per cent (spaced by log-odds)"}
    return {"type": "quantitative", "scale": {"domain": [low, high], "nice": False}, "axis": axis}


def _bars(found: Sequence[Step], y: Spec, theme: Theme) -> list[Spec]:
    rows = [
        {
            "label": step.label,
            "start": step.start,
            "end": step.end,
            "right": max(step.start, step.end),
            "raises": step.contribution > 0,
            "text": signed(step.contribution, decimals=2),
        }
        for step in found
    ]
    colour = {"condition": {"test": "datum.raises", "value": theme.raises}, "value": theme.lowers}
    bar = {
        "mark": {"type": "bar", "height": _BAR, "strokeWidth": 1.5},
        "encoding": {
            "x": {"field": "start", "type": "quantitative"},
            "x2": {"field": "end"},
            "y": y,
            "fill": colour,
            "stroke": colour,
            "fillOpacity": {"condition": {"test": "datum.raises", "value": 1}, "value": 0.15},
            "strokeDash": {"condition": {"test": "datum.raises", "value": [1, 0]}, "value": [4, 3]},
        },
    }
    arrow = {
        "mark": {"type": "point", "filled": True, "size": 130, "opacity": 1},
        "encoding": {
            "x": {"field": "end", "type": "quantitative"},
            "y": y,
            "fill": colour,
            "shape": {"condition": {"test": "datum.raises", "value": "triangle-right"}, "value": "triangle-left"},
        },
    }
    text = {
        "mark": {"type": "text", "align": "left", "dx": 10},
        "encoding": {"x": {"field": "right", "type": "quantitative"}, "y": y, "text": {"field": "text"}},
    }
    return [{"data": {"values": rows}, **layer} for layer in (bar, arrow, text)]


def _ends(estimate: Estimate, y: Spec, theme: Theme) -> list[Spec]:
    """Where it starts and where it ends: two lines through all bars, each with its probability."""
    rows = [
        {"label": label, "at": at, "text": Frequency(probability=sigmoid(at)).percent}
        for label, at in (("Starting point", estimate.base), ("This person", estimate.margin))
    ]
    x = {"field": "at", "type": "quantitative"}
    rule = {"mark": {"type": "rule", "color": theme.quiet, "strokeDash": [2, 3]}, "encoding": {"x": x}}
    point = {
        "mark": {"type": "point", "filled": True, "shape": "diamond", "size": 110, "color": theme.ink, "opacity": 1},
        "encoding": {"x": x, "y": y},
    }
    text = {
        "mark": {"type": "text", "align": "left", "dx": 10, "fontWeight": "bold"},
        "encoding": {"x": x, "y": y, "text": {"field": "text"}},
    }
    return [{"data": {"values": rows}, **layer} for layer in (rule, point, text)]


def _labels_above(order: Sequence[str], y: Spec) -> Spec:
    """On a narrow page the labels stand over the bars, not beside them."""
    return {
        "data": {"values": [{"label": label} for label in order]},
        "mark": {"type": "text", "align": "left", "dy": -16},
        "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "label"}},
    }


# --- Over time ---------------------------------------------------------------------------------------------------
def measurements(trend: Trend, context: PatientContext) -> list[Observed]:
    """What the panel shows, oldest first."""
    found = [fact for analyte in trend.analytes for fact in context.all(analyte)]
    return sorted(found, key=lambda fact: fact.when.latest)


def over_time(trend: Trend, context: PatientContext, *, titles: Mapping[str, str], theme: Theme) -> Spec:
    """One panel: every measurement, the cut-offs as labelled lines, each series (named by `titles`) with its own mark."""
    found = measurements(trend, context)
    rows = [
        {"at": fact.when.day.isoformat(), "value": fact.quantity.value, "series": titles[fact.analyte]}
        for fact in found
    ]
    at = {"field": "at", "type": "temporal", "scale": {"domain": _years(found, context)}}
    x = {**at, "axis": {"title": None, "format": "%b %Y", "tickCount": 3, "grid": False, "labelFlush": True}}
    y = {
        "field": "value",
        "type": "quantitative",
        "scale": {"zero": False},
        "axis": {"title": unit(trend.unit), "tickCount": 4},
    }
    in_order = [titles[analyte] for analyte in trend.analytes if analyte in titles]
    series = {"field": "series", "type": "nominal", "sort": in_order, "legend": _legend(rows, theme)}
    line = {
        "mark": {"type": "line", "color": theme.raises},
        "encoding": {"x": x, "y": y, "detail": {"field": "series"}},
    }
    point = {
        "mark": {"type": "point", "filled": True, "size": 55, "color": theme.raises, "opacity": 1},
        "encoding": {"x": x, "y": y, "shape": series},
    }
    drawn = [{"data": {"values": rows}, **layer} for layer in (line, point, _newest(x, y))]
    return {
        "title": f"{trend.title} ({unit(trend.unit)})",
        "width": 190,
        "height": 100,
        "padding": {"left": 5, "top": 5, "bottom": 5, "right": 20},
        "layer": [*_cut_offs(trend, theme), *drawn],
    }


def _newest(x: Spec, y: Spec) -> Spec:
    """Of each series the last value, as a number."""
    return {
        "transform": [
            {"joinaggregate": [{"op": "max", "field": "at", "as": "last"}], "groupby": ["series"]},
            {"filter": "datum.at == datum.last"},
        ],
        "mark": {"type": "text", "dy": -11, "align": "right", "dx": 4, "fontWeight": "bold"},
        "encoding": {"x": x, "y": y, "text": {"field": "value", "format": ".3~r"}},
    }


def _cut_offs(trend: Trend, theme: Theme) -> list[Spec]:
    rows = [{"value": value, "text": f"{number(value)} {text}"} for value, text in trend.cut_offs.items()]
    y = {"field": "value", "type": "quantitative"}
    rule = {"mark": {"type": "rule", "color": theme.lowers, "strokeDash": [5, 3]}, "encoding": {"y": y}}
    text = {
        "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 11, "color": theme.quiet},
        "encoding": {"x": {"value": "width"}, "y": y, "text": {"field": "text"}},
    }
    return [{"data": {"values": rows}, **layer} for layer in (rule, text)]


def _years(found: Sequence[Observed], context: PatientContext) -> list[str]:
    """From the first measurement, or a year back, until today."""
    first = min([fact.when.day for fact in found] or [context.today])
    start = min(first, context.today.replace(year=context.today.year - 1, day=1))
    return [start.isoformat(), context.today.isoformat()]


def _legend(rows: Sequence[Mapping[str, Any]], theme: Theme) -> Spec | None:
    if len({row["series"] for row in rows}) < 2:
        return None
    return {"title": None, "orient": "bottom", "symbolFillColor": theme.raises}
