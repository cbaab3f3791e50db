"""Commands of the scoring layer."""

from __future__ import annotations
