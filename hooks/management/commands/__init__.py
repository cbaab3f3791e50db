"""`manage.py conformance`."""

from __future__ import annotations
