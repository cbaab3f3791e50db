"""The numbers: rows in, probabilities and their reasons out; never a patient, never FHIR."""

from __future__ import annotations
