"""Outside systems that ask us: their tokens (SMART Backend Services), and the API that the tokens open."""

from __future__ import annotations
