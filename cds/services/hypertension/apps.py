"""Makes the folder a Django app; `cds` imports its `service` module at the start."""

from __future__ import annotations

from django.apps import AppConfig


class HypertensionConfig(AppConfig):
    name = "cds.services.hypertension"
    label = "hypertension"
    verbose_name = "High blood pressure that nobody has found yet"
