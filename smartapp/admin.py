"""The administrators' pages of this door."""

from __future__ import annotations

from smartapp.backend import admin

__all__ = ["admin"]
