"""Write back: what an assessment keeps goes into the chart and into the archive, each once, however often it is sent.

A `WriteBack` row is the outbox entry of one assessment and one target; read `save.py` first. `work.py` makes one try,
`chart.py` and `archive.py` are the two ways, `outbox.py` moves the rows.
"""

from __future__ import annotations

from cds.writeback.allowed import WriteBackOff
from cds.writeback.call_off import call_off, call_off_all
from cds.writeback.confirm import NotNow, confirm
from cds.writeback.handed import handed_over, to_hand_over
from cds.writeback.kept import Kept, records
from cds.writeback.outbox import due
from cds.writeback.retract import NotYours, retract
from cds.writeback.save import automatic, resume, write_back

__all__ = [
    "Kept",
    "NotNow",
    "NotYours",
    "WriteBackOff",
    "automatic",
    "call_off",
    "call_off_all",
    "confirm",
    "due",
    "handed_over",
    "records",
    "resume",
    "retract",
    "to_hand_over",
    "write_back",
]
