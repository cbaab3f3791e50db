"""The admin: EHRs are connected, edited and switched off; what happened is only read."""

from __future__ import annotations

from cds.admin import ehr, happened, shelf, stages, whose

__all__ = ["ehr", "happened", "shelf", "stages", "whose"]
