"""The third door's verb: a service is asked about everybody in a folder of Bulk Data, block by block, each once.

Read `sweep.py` first. `fold.py` says what one patient's record says, `opening.py` makes the run.
"""

from __future__ import annotations

from cds.population.expiry import ARRIVING, expire, let_go
from cds.population.opening import open_run
from cds.population.steer import cancel, pause, resume
from cds.population.sweep import Busy, Progress, sweep, unfinished

__all__ = [
    "ARRIVING",
    "Busy",
    "Progress",
    "cancel",
    "expire",
    "let_go",
    "open_run",
    "pause",
    "resume",
    "sweep",
    "unfinished",
]
