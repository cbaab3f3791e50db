"""docs."""

from __future__ import annotations


def write(*a, **k):
    raise NotImplementedError
