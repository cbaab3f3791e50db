"""Decisions: gather the facts, assess them, present the answer, write it back."""

from __future__ import annotations
