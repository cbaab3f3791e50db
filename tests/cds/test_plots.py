"""Plots are plain SVG: readable without colour, without a style or a script of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cds import plots, registry
from cds.codes import Code
from cds.context import PatientContext
from cds.facts import Observed, Person, Quantity, When
from cds.finding import Estimate, Factor
from scoring.plots import THEMES, svg
from scoring.shelf import sigmoid

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
TITLES = {"systolic": "Systolic pressure", "diastolic": "Diastolic pressure", "bmi": "BMI"}


@pytest.fixture
def estimate() -> Estimate:
    factors = tuple(
        Factor(key=label, label=label, contribution=contribution, points=0.0, text="yes")
        for label, contribution in (("Raising", 1.0), ("Lowering", -0.5))
    )
    return Estimate(
        probability=sigmoid(-2.5), margin=-2.5, base=-3.0, factors=factors, threshold=0.1, model="m", version="1"
    )


def measured(analyte: str, value: float, unit: str, *, days_ago: int) -> Observed:
    at = NOW - timedelta(days=days_ago)
    when = When(text=at.date().isoformat(), earliest=at, latest=at)
    quantity = Quantity(value=value, unit=unit)
    return Observed(
        analyte=analyte, code=Code("s", "c"), quantity=quantity, reported=quantity, when=when, source="Observation/1"
    )


@pytest.fixture
def context() -> PatientContext:
    return PatientContext(
        patient=Person(id="p"),
        now=NOW,
        observations={
            "systolic": (
                measured("systolic", 151, "mm[Hg]", days_ago=3),
                measured("systolic", 139, "mm[Hg]", days_ago=700),
            ),
            "diastolic": (measured("diastolic", 87, "mm[Hg]", days_ago=3),),
            "bmi": (measured("bmi", 31.5, "kg/m2", days_ago=900),),
        },
    )


@pytest.mark.parametrize("size", plots.SIZES)
@pytest.mark.parametrize("theme", THEMES)
def test_the_waterfall_names_its_bars_and_its_ends(estimate: Estimate, size: str, theme: str) -> None:
    colours = THEMES[theme]
    drawn = svg(plots.waterfall(estimate, size=size, theme=colours), colours)
    for label in ("Starting point", "Raising: yes", "Lowering: yes", "This person", "+1.00", "\N{MINUS SIGN}0.50"):
        assert label in drawn
    assert "Probability, per cent" in drawn
    assert "style=" not in drawn
    assert "<script" not in drawn


def test_direction_does_not_hang_on_colour(estimate: Estimate) -> None:
    theme = THEMES["light"]
    drawn = svg(plots.waterfall(estimate, size="wide", theme=theme), theme)
    assert 'stroke-dasharray="4,3"' in drawn  # lowering: dashed and nearly hollow
    assert 'fill-opacity="0.15"' in drawn


def test_a_small_difference_does_not_fill_the_axis(estimate: Estimate) -> None:
    axis = plots.waterfall(estimate, size="wide", theme=THEMES["light"])["encoding"]["x"]
    low, high = axis["scale"]["domain"]
    assert high - low > 2 > estimate.margin - estimate.base


@pytest.mark.parametrize("title", ["Blood pressure", "BMI"])
def test_a_panel_shows_its_unit_its_cut_offs_and_its_newest_value(context: PatientContext, title: str) -> None:
    trend = next(one for service in registry.all_services() for one in service.trends if one.title == title)
    theme = THEMES["light"]
    drawn = svg(plots.over_time(trend, context, titles=TITLES, theme=theme), theme)
    newest = {"Blood pressure": ("151", "87"), "BMI": ("31.5",)}[title]
    for label in (*newest, *(f"{value:g} {text}" for value, text in trend.cut_offs.items())):
        assert f">{label}</text>" in drawn


def test_two_series_are_named_by_their_marks(context: PatientContext) -> None:
    trend = next(one for service in registry.all_services() for one in service.trends if one.title == "Blood pressure")
    theme = THEMES["light"]
    drawn = svg(plots.over_time(trend, context, titles=TITLES, theme=theme), theme)
    assert "Systolic pressure" in drawn
    assert "Diastolic pressure" in drawn


def test_measurements_come_oldest_first(context: PatientContext) -> None:
    trend = next(one for service in registry.all_services() for one in service.trends if "systolic" in one.analytes)
    found = plots.measurements(trend, context)
    assert [fact.when.latest for fact in found] == sorted(fact.when.latest for fact in found)
    assert len(found) == 3


def test_the_29th_of_february_has_a_year_before_it(context: PatientContext) -> None:
    leap = PatientContext(patient=context.patient, now=datetime(2028, 2, 29, tzinfo=UTC))
    trend = next(one for service in registry.all_services() for one in service.trends)
    spec = plots.over_time(trend, leap, titles={}, theme=THEMES["light"])
    assert "2027-02-01" in str(spec)
