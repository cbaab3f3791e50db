"""The EHR launch (SMART App Launch 2.2): from the chart's address and ticket to a session of our own."""

from __future__ import annotations
