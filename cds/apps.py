"""Starts `cds`: the installed plug-ins register themselves."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CdsConfig(AppConfig):
    name = "cds"
    verbose_name = "Decisions"

    def ready(self) -> None:
        """A plug-in's broken import stops the start; it is never skipped."""
        from cds import checks  # noqa: F401 -- registers

        autodiscover_modules("service")
