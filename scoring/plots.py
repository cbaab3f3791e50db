"""How every plot looks and becomes SVG: one font, a light and a dark theme, Vega-Lite rendered in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import vl_convert

Spec = dict[str, Any]  # of Vega-Lite 5
_FONT = "system-ui, 'Liberation Sans', Arial, sans-serif"


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Blue raises and orange lowers: a pair that colour-blind people tell apart, never red and green."""

    ink: str
    quiet: str
    grid: str
    raises: str
    lowers: str


THEMES = {
    "light": Theme(ink="#14212b", quiet="#4a5a68", grid="#d5dce3", raises="#1f5fa8", lowers="#b45309"),
    "dark": Theme(ink="#e8edf2", quiet="#b4c0cb", grid="#3a4753", raises="#7db7f0", lowers="#f5a65b"),
}


def svg(spec: Spec, theme: Theme) -> str:
    """Rendered without any network."""
    return str(vl_convert.vegalite_to_svg({**spec, "config": _config(theme)}, allowed_base_urls=[]))


def _config(theme: Theme) -> Spec:
    text = {"labelColor": theme.ink, "titleColor": theme.quiet, "labelFontSize": 12, "titleFontSize": 12}
    axis = {"gridColor": theme.grid, "domainColor": theme.grid, "tickColor": theme.grid, "titleFontWeight": "normal"}
    return {
        "background": None,
        "font": _FONT,
        "view": {"stroke": None},
        "axis": {**text, **axis},
        "title": {"color": theme.ink, "fontSize": 13, "anchor": "start"},
        "text": {"color": theme.ink, "fontSize": 12},
        "legend": {"labelFontSize": 12, "columnPadding": 20, "labelColor": theme.ink},
    }
