"""POST /api/fhir/$score-batch and what follows: the FHIR asynchronous pattern (R4, "Asynchronous Request Pattern").

Read `kick_off.py` first; `arriving.py` takes the upload, `waiting.py` says how far it is, `files.py` hands the answers out.
"""

from __future__ import annotations
