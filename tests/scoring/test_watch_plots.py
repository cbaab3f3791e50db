"""Plots of drift: whoever reads them knows which column is meant, however long its name."""

from __future__ import annotations

import pytest

from scoring.plots import THEMES, svg
from scoring.watch_plots import drift, psi_over_time

LONG = "first_degree_relatives_with_type_2_diabetes"
LOOK = THEMES["light"]


@pytest.mark.parametrize("width", [420, 260])
def test_a_long_name_is_not_cut_off(width: int) -> None:
    shifts = [{"feature": LONG, "psi": 0.3, "level": "alarm"}, {"feature": "bmi", "psi": 0.01, "level": ""}]
    looks = [{"when": f"2026-0{month}-01T00:00:00Z", "feature": LONG, "psi": 0.1} for month in (1, 2)]
    for plot in (drift(shifts, width=width, theme=LOOK), psi_over_time(looks, width=width, theme=LOOK)):
        assert LONG in svg(plot, LOOK)
