"""The SMART doors: the clinician's launch and pages, and (later) backend services."""

from __future__ import annotations
