"""The admin: EHRs are connected, edited and switched off; doubted answers are reviewed; what happened is only read."""

from __future__ import annotations

from cds.admin import (
    ehr,
    experiments,
    feedback,
    happened,
    population,
    renewal,
    shelf,
    stages,
    subscriptions,
    watch,
    whose,
    write_backs,
)

__all__ = [
    "ehr",
    "experiments",
    "feedback",
    "happened",
    "population",
    "renewal",
    "shelf",
    "stages",
    "subscriptions",
    "watch",
    "whose",
    "write_backs",
]
