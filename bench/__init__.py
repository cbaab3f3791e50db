"""`make bench`: the hook under load, beside a peer that does the same job, in one run."""

from __future__ import annotations
