"""How far a long command is: a bar on standard error, and nothing where no terminal looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from tqdm import tqdm

Step = TypeVar("Step")


def steps(of: Sequence[Step], *, doing: str) -> Iterable[Step]:
    return tqdm(of, desc=doing, disable=None, leave=False, dynamic_ncols=True)
