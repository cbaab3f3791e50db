"""The plots of a model card and of an evaluation, as Vega-Lite specifications drawn from `facts["curves"]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.plots import Spec, Theme

Facts = Mapping[str, Any]
Curves = Mapping[str, Any]  # facts["curves"], made by scoring.curves
WIDTHS, _HEIGHT = {"wide": 380, "narrow": 240}, 220
_SHARES = (0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.7, 1)
_NAMED = 19  # the threshold, 20 %, above which the model's curve is named
_DECADES = (0.0001, 0.001, 0.01, 0.1, 0.5)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One plot; `in_words` says it to who does not see it."""

    title: str
    in_words: Callable[[Curves], str]
    draw: Callable[[Curves, Theme], Spec]

    def says(self, facts: Facts) -> str:
        return self.in_words(facts["curves"])

    def spec(self, facts: Facts, *, size: str, theme: Theme) -> Spec:
        frame = {"title": self.title, "description": self.says(facts), "width": WIDTHS[size], "height": _HEIGHT}
        return {**frame, **self.draw(facts["curves"], theme)}


def drawable(facts: Facts) -> dict[str, Figure]:
    """Those for which the facts hold the numbers, by name."""
    return {name: figure for name, figure in FIGURES.items() if name in facts.get("curves", {})}


def _rows(columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    names = list(columns)
    return {"values": [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


def _axis(field: str, title: str, *, top: float, scale: str = "linear", ticks: Sequence[float] = ()) -> Spec:
    """From 0 to `top`, both fractions, labelled in per cent."""
    axis = {"title": title, "labelExpr": "format(100 * datum.value, '~r') + ' %'", "tickCount": 5}
    if ticks:
        axis["values"] = [tick for tick in ticks if tick <= top]
    return {
        "field": field,
        "type": "quantitative",
        "axis": axis,
        "scale": {"type": scale, "domain": [0, top], "nice": False},
    }


def _diagonal(top: float, theme: Theme) -> Spec:
    ends = {"values": [{"at": 0, "to": 0}, {"at": top, "to": top}]}
    encoding = {"x": {"field": "at", "type": "quantitative"}, "y": {"field": "to", "type": "quantitative"}}
    return {"data": ends, "mark": {"type": "line", "color": theme.quiet, "strokeDash": [4, 3]}, "encoding": encoding}


def _label(text: str, x: float, y: float, theme: Theme, *, align: str = "left") -> Spec:
    point = {"values": [{"x": x, "y": y, "text": text}]}
    mark = {"type": "text", "align": align, "color": theme.quiet, "dy": -7}
    encoding = {name: {"field": name, "type": "quantitative"} for name in ("x", "y")}
    return {"data": point, "mark": mark, "encoding": {**encoding, "text": {"field": "text"}}}


# --- ROC ---------------------------------------------------------------------------------------------------------
def _roc(curves: Curves, theme: Theme) -> Spec:
    line = {
        "data": _rows(curves["roc"]),
        "mark": {"type": "line", "interpolate": "step-after", "color": theme.raises, "strokeWidth": 2},
        "encoding": {
            "x": _axis("false_positive_rate", "Alerted on among those without", top=1),
            "y": _axis("sensitivity", "Cases found", top=1),
        },
    }
    return {"layer": [_diagonal(1, theme), line, _label("a coin", 0.62, 0.5, theme)]}


def _says_roc(curves: Curves) -> str:
    roc = curves["roc"]
    at = min(range(len(roc["sensitivity"])), key=lambda place: abs(roc["false_positive_rate"][place] - 0.1))
    return (
        "Receiver operating characteristic: where 10 % of those without are alerted on,"
        f" {roc['sensitivity'][at]:.0%} of the cases are found."
    )


# --- Calibration -------------------------------------------------------------------------------------------------
def _calibration(curves: Curves, theme: Theme) -> Spec:
    tenths = curves["calibration"]
    top = 1.05 * max(*tenths["predicted"], *tenths["high"])
    data = _rows(tenths)
    x = _axis("predicted", "Probability said (spaced by its root)", top=top, scale="sqrt", ticks=_SHARES)
    y = _axis("observed", "Share with it", top=top, scale="sqrt", ticks=_SHARES)
    reach = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    bar = {"mark": {"type": "rule", "color": theme.raises}, "encoding": reach}
    point = {
        "mark": {"type": "point", "filled": True, "size": 45, "color": theme.raises, "opacity": 1},
        "encoding": {"x": x, "y": y},
    }
    drawn = [{"data": data, **layer} for layer in (bar, point)]
    return {"layer": [_diagonal(top, theme), *drawn, _label("as said", 0.7 * top, 0.78 * top, theme, align="right")]}


def _says_calibration(curves: Curves) -> str:
    tenths = curves["calibration"]
    return (
        f"Calibration in tenths of the people: in the highest tenth {tenths['predicted'][-1]:.1%} was said and"
        f" {tenths['observed'][-1]:.1%} seen ({tenths['low'][-1]:.1%} to {tenths['high'][-1]:.1%})."
    )


# --- Decision curve ----------------------------------------------------------------------------------------------
def _decision_curve(curves: Curves, theme: Theme) -> Spec:
    decision = curves["decision_curve"]
    known = [value for value in (*decision["high"], *decision["all"]) if value is not None]
    bottom, top = -0.2 * max(known), 1.05 * max(known)
    x = _axis("threshold", "Probability from which a test is worth it", top=decision["threshold"][-1])
    y = {
        "field": "model",
        "type": "quantitative",
        "axis": {"title": "Net benefit, cases per 100", "tickCount": 5},
        "scale": {"domain": [100 * bottom, 100 * top], "nice": False},
    }
    scaled = {name: _per_100(values) for name, values in decision.items() if name != "threshold"}
    data = _rows({"threshold": decision["threshold"], **scaled})
    band = {"mark": {"type": "area", "color": theme.raises, "opacity": 0.18, "clip": True}}
    lines = [
        {**band, "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}},
        _line("model", theme.raises, x, y, dash=[1, 0]),
        _line("all", theme.lowers, x, y, dash=[5, 3]),
        {"mark": {"type": "rule", "color": theme.quiet}, "encoding": {"y": {"datum": 0}}},
    ]
    legend = [
        _label("model", decision["threshold"][_NAMED], 100 * (decision["high"][_NAMED] or 0), theme),
        _label("test nobody", decision["threshold"][-1], 0, theme, align="right"),
        _label("test all", decision["threshold"][4], 100 * bottom, theme),
    ]
    return {"layer": [*({"data": data, **line} for line in lines), *legend]}


def _line(field: str, colour: str, x: Spec, y: Spec, *, dash: list[int]) -> Spec:
    mark = {"type": "line", "color": colour, "strokeDash": dash, "strokeWidth": 2, "clip": True}
    return {"mark": mark, "encoding": {"x": x, "y": {**y, "field": field}}}


def _per_100(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else 100 * value for value in values]


def _says_decision(curves: Curves) -> str:
    decision = curves["decision_curve"]
    useful = [
        threshold
        for threshold, model, everybody in zip(decision["threshold"], decision["model"], decision["all"], strict=True)
        if model is not None and model > max(everybody, 0)
    ]
    if not useful:
        return "Decision curve: at no threshold is the model worth more than testing everybody or nobody."
    return (
        f"Decision curve: from a threshold of {useful[0]:.0%} to {useful[-1]:.0%} the model is worth more than testing"
        " everybody or nobody."
    )


# --- Histogram ---------------------------------------------------------------------------------------------------
def _histogram(curves: Curves, theme: Theme) -> Spec:
    histogram = curves["score_histogram"]
    edges = histogram["edge"]
    rows = [
        {"from": low, "share": count / max(sum(histogram[name]), 1), "who": f"{name} ({sum(histogram[name]):,})"}
        for name in ("with", "without")
        for low, count in zip(edges, [*histogram[name], 0], strict=True)
    ]
    x = _axis("from", "Probability said (spaced by its logarithm)", top=edges[-1], ticks=_DECADES)
    x["scale"] = {"type": "log", "domain": [edges[0], edges[-1]], "nice": False}
    top = 1.05 * max(row["share"] for row in rows)
    who = {"field": "who", "sort": None, "legend": {"title": None, "orient": "top", "symbolType": "stroke"}}
    return {
        "data": {"values": rows},
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {
            "x": x,
            "y": _axis("share", "Share of them", top=top),
            "color": {**who, "scale": {"range": [theme.raises, theme.lowers]}},
            "strokeDash": {**who, "scale": {"range": [[1, 0], [4, 3]]}},
        },
    }


def _says_histogram(curves: Curves) -> str:
    histogram = curves["score_histogram"]
    return (
        f"Histogram of the probabilities of {sum(histogram['with']):,} people with the label and of"
        f" {sum(histogram['without']):,} without."
    )


FIGURES: Mapping[str, Figure] = {
    "roc": Figure(title="Cases found against false alerts", in_words=_says_roc, draw=_roc),
    "calibration": Figure(title="Is what is said what is seen?", in_words=_says_calibration, draw=_calibration),
    "decision_curve": Figure(title="Is it worth it?", in_words=_says_decision, draw=_decision_curve),
    "score_histogram": Figure(title="What is said to whom", in_words=_says_histogram, draw=_histogram),
}
