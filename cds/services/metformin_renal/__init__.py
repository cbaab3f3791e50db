"""May this patient's kidneys take metformin? Rules alone, no model."""

from __future__ import annotations
