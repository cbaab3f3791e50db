"""The CDS Hooks door as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class HooksConfig(AppConfig):
    name = "hooks"
    verbose_name = "CDS Hooks"

    def ready(self) -> None:
        from hooks import checks  # noqa: F401 -- registers itself
