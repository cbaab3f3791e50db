"""FHIR: reading it into facts, writing records as resources, and the one client that speaks it."""

from __future__ import annotations
