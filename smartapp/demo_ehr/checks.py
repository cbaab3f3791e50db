"""Refuses a deployment that still plays hospital."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks


@checks.register(checks.Tags.security, deploy=True)
def demo_ehr_is_off(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """The demo EHR lets everybody in, so it must not run where real patients are."""
    if not settings.DEMO_EHR:
        return []
    return [checks.Error("DEMO_EHR is on", hint="Unset DEMO_EHR in production.", id="demo_ehr.E001")]
