"""Starts `cds`: the installed plug-ins register themselves."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.db import DEFAULT_DB_ALIAS
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules


class CdsConfig(AppConfig):
    name = "cds"
    verbose_name = "Decisions"

    def ready(self) -> None:
        """A plug-in's broken import stops the start; it is never skipped."""
        from cds import checks  # noqa: F401 -- registers

        autodiscover_modules("service")
        post_migrate.connect(_adopt_shipped, sender=self)


def _adopt_shipped(*, using: str, apps: Any = installed, **_: Any) -> None:
    """`apps` tells whether the tables exist in the state migrated to; the trail is in the default database only."""
    from cds.release import adopt_shipped

    try:
        apps.get_model("cds", "ModelChange")
    except LookupError:
        return
    if using == DEFAULT_DB_ALIAS:
        adopt_shipped()
