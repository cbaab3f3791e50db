"""The scoring layer as a Django app: after `migrate`, the models that apps ship are on the shelf."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ScoringConfig(AppConfig):
    name = "scoring"

    def ready(self) -> None:
        from scoring.shipped import register_shipped

        post_migrate.connect(register_shipped, sender=self)
