"""Holds any CDS Hooks service, ours or another's, against CDS Hooks 2.0.1: as a client, over HTTP."""

from __future__ import annotations
