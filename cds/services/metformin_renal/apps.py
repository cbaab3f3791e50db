"""Makes the folder a Django app; `cds` imports its `service` module at the start."""

from __future__ import annotations

from django.apps import AppConfig


class MetforminRenalConfig(AppConfig):
    name = "cds.services.metformin_renal"
    label = "metformin_renal"
    verbose_name = "Metformin and kidney function"
