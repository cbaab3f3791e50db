"""What must hold before we start: each check has an id and a hint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks

from cds.registry import all_services


@checks.register(checks.Tags.security, deploy=True)
def servers_are_apart(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    if settings.EMBEDDED:
        return [checks.Warning("Embedded mode: one process, queue in memory", hint="Set REDIS_URL.", id="cds.W001")]
    return []


@checks.register
def the_audit_trail_is_kept(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """45 CFR 164.316(b)(2)(i): six years, as it is usually read."""
    if settings.AUDIT_RETENTION_YEARS < 6:
        return [checks.Error("AUDIT_RETENTION_YEARS is below 6", hint="HIPAA asks for six years.", id="cds.E003")]
    return []


@checks.register
def every_model_has_its_card(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """A service that scores with a model must bring MODEL_CARD.md in its folder."""
    return [
        checks.Error(f"{service.id} has no MODEL_CARD.md", hint="Run `manage.py train`; it writes one.", id="cds.E002")
        for service in all_services()
        if service.model and not (Path(_folder(service)) / "MODEL_CARD.md").exists()
    ]


def _folder(service: object) -> str:
    config = apps.get_containing_app_config(type(service).__module__)
    return config.path if config else ""
