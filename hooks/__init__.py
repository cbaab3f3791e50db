"""The CDS Hooks door: discovery, service call, feedback."""

from __future__ import annotations
