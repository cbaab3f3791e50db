"""Commands of the CDS Hooks door."""

from __future__ import annotations
