"""`manage.py train`."""

from __future__ import annotations
