"""An EHR tells us of something new by itself: it is noted, followed up, and the patient is asked about again.

Read in this order: `hear.py` notes a notification, `follow.py` finds out whom it is about, `rescore.py` asks again,
each when its row is due (`due.py`). `subscribe.py` asks an EHR to tell us, in the way that it offers (`offered.py`),
`token.py` says how it is known then, and `silence.py` notices that nothing comes. Nothing of a patient is believed that
a notification says: all facts are read with our own access.
"""

from __future__ import annotations

from cds.notified.due import due_rescorings, due_subscriptions
from cds.notified.follow import follow
from cds.notified.hear import hear
from cds.notified.rescore import rescore
from cds.notified.silence import recover
from cds.notified.subscribe import renew

__all__ = ["due_rescorings", "due_subscriptions", "follow", "hear", "recover", "renew", "rescore"]
