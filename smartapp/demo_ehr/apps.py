"""The demo EHR as a Django application; it has no tables."""

from __future__ import annotations

from django.apps import AppConfig


class DemoEhrConfig(AppConfig):
    name = "smartapp.demo_ehr"
    label = "demo_ehr"
    verbose_name = "Demo EHR"

    def ready(self) -> None:
        from smartapp.demo_ehr import checks  # noqa: F401  registers itself
