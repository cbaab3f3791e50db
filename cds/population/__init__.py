"""The third door's verb: a service is asked about everybody in a folder of Bulk Data, block by block, each once.

Read `sweep.py` first. `opening.py` makes the run. `machine.py` is the usual engine: `intake.py`, with `lines.py` and
`spool.py`, reads the files and sorts them by patient; `fold.py` says what one patient's record says, in several processes
where there is much (`shares.py`); `keep.py` says what becomes of it.
"""

from __future__ import annotations

from cds.bulk import Fetching
from cds.population.expiry import ARRIVING, expire, let_go
from cds.population.intake import Reading
from cds.population.opening import heard_until, open_run, usual_group
from cds.population.steer import cancel, pause, resume
from cds.population.sweep import Busy, Engine, Progress, clear, sweep, unfinished

__all__ = [
    "ARRIVING",
    "Busy",
    "Engine",
    "Fetching",
    "Progress",
    "Reading",
    "cancel",
    "clear",
    "expire",
    "heard_until",
    "let_go",
    "open_run",
    "pause",
    "resume",
    "sweep",
    "unfinished",
    "usual_group",
]
