"""Of several lines or entries with one resource the newest counts, else the last (Bulk Data, "Output File")."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from cds.fhir.dates import parse

_FIRST = datetime.min.replace(tzinfo=UTC)
_One = TypeVar("_One")


def newest(found: Iterable[_One], *, same: Callable[[_One], Hashable], age: Callable[[_One], Any]) -> list[_One]:
    """One of each: an older version may say what was since taken back. `same`: None where it cannot be told from others."""
    kept: dict[Hashable, _One] = {}
    for one in found:
        name = same(one)
        known = kept.setdefault(object() if name is None else name, one)
        if known is not one and age(one) >= age(known):
            kept[name] = one
    return list(kept.values())


def changed_at(said: str) -> datetime:
    """By meta.lastUpdated; before all others, where it does not say."""
    when = parse(said, UTC)
    return when.earliest if when else _FIRST
