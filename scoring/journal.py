"""What a long run has done so far, kept beside it: interrupted, even killed, it goes on from there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Step = Mapping[str, Any]  # what identifies it, as JSON


class Journal:
    """One line of JSON a finished step. A line that a kill cut short counts for nothing."""

    def __init__(self, path: Path | None = None) -> None:
        """Without a path nothing is kept."""
        self.path = path
        self._done = dict(_whole_lines(path)) if path else {}

    @property
    def finished(self) -> int:
        """How many steps are done."""
        return len(self._done)

    def once(self, step: Step, work: Callable[[], Any]) -> Any:
        """The step's result, as JSON holds it: from an earlier run, or worked out now and written down."""
        key = json.dumps(step, sort_keys=True)
        if key not in self._done:
            self._done[key] = result = json.loads(json.dumps(work(), allow_nan=False))
            self._append(json.dumps([key, result]))
        return self._done[key]

    def _append(self, line: str) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())

    def discard(self) -> None:
        """The run has reached its end."""
        if self.path:
            self.path.unlink(missing_ok=True)


def _whole_lines(path: Path) -> list[tuple[str, Any]]:
    """What was written whole; the rest is cut off the file, so that the next line starts on its own."""
    if not path.exists():
        return []
    whole, _, torn = path.read_bytes().rpartition(b"\n")
    if torn:
        os.truncate(path, path.stat().st_size - len(torn))
    return [tuple(json.loads(line)) for line in whole.splitlines()]
