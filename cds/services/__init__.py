"""The questions we can answer; each folder is a plug-in that knows no network, no FHIR and no database."""

from __future__ import annotations
