"""The history of the scoring tables."""

from __future__ import annotations
