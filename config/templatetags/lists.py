"""The admin's lists: each cell says its column's title, so that a narrow window can stack the cells of a row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.template import Library
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

register = Library()


@register.simple_tag
def titled(headers: Iterable[dict[str, Any]], cells: Iterable[str]) -> list[SafeString]:
    """Django's cells with `data-label`, which bedside-admin.css shows; those of the box that ticks a row have none."""
    return [_titled(header, cell) for header, cell in zip(headers, cells, strict=True)]


def _titled(header: dict[str, Any], cell: str) -> SafeString:
    if "action-checkbox-column" in (header.get("class_attrib") or ""):
        return mark_safe(cell)  # noqa: S308 -- Django escaped it
    start, rest = cell.split(" ", 1)
    return format_html('{} data-label="{}" {}', mark_safe(start), capfirst(header["text"]), mark_safe(rest))  # noqa: S308
