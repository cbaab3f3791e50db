"""The base of every value: frozen, valid once built.

A msgspec Struct and not a dataclass: it is built ten times faster (the hook's path makes hundreds a call), and it is
its own JSON, both ways.
"""

from __future__ import annotations

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """Subclass and annotate; checks go into `__post_init__`."""
