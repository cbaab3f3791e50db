"""The records of a population, from an EHR to a folder: Bulk Data Access (STU1 to STU3 and the STU4 ballot), as its client.

Read `fetch.py` first. `kickoff.py` asks for the export, `polling.py` waits for it, `manifest.py` reads what there is,
`download.py` brings one file, `accounts.py` reads what the EHR says of what it left out; `crawl.py` searches where there is
no export. With `_since` an export only names who changed (`changed.py`, `deleted.py`), and `crawl.py` reads their records.
"""

from __future__ import annotations

from cds.bulk.fetch import fetch, let_go
from cds.bulk.pace import Fetching

__all__ = ["Fetching", "fetch", "let_go"]
