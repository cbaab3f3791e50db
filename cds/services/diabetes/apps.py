"""Makes the folder a Django app; `cds` imports its `service` module at the start."""

from __future__ import annotations

from django.apps import AppConfig


class DiabetesConfig(AppConfig):
    name = "cds.services.diabetes"
    label = "diabetes"
    verbose_name = "Diabetes that nobody has found yet"
