"""Does a text name somebody? A pseudonym or a UUID may have "ada" in it, and names nobody."""

from __future__ import annotations

import re


def named(text: str, *names: str) -> list[str]:
    """Those of these names that stand there as words, however they are written."""
    return [name for name in names if re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE)]
