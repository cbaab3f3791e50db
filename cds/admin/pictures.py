"""Plots inside the admin's pages, which allow no script and no style of their own: pictures that carry their data."""

from __future__ import annotations

import base64

from django.utils.html import format_html
from django.utils.safestring import SafeString

from scoring.plots import THEMES, Spec, svg

LOOK = THEMES["light"]  # on paper of its own (`.plot` in bedside-admin.css), whatever the theme of the page


def picture(spec: Spec, *, says: str, narrow: Spec | None = None) -> SafeString:
    """`says` is the text alternative; `narrow` is shown on small screens."""
    small = format_html('<source media="(max-width: 48rem)" srcset="{}">', _data(narrow)) if narrow else ""
    return format_html('<picture class="plot">{}<img src="{}" alt="{}"></picture>', small, _data(spec), says)


def _data(spec: Spec) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg(spec, LOOK).encode()).decode()}"
