"""What must hold of the installed services before we answer hooks for them."""

from __future__ import annotations

from typing import Any

from django.core import checks

from cds.registry import all_services
from cds.service import DecisionService
from hooks.library import HOOKS


@checks.register
def every_hook_is_known(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Only of a hook of the library do we know what its context must hold."""
    return [problem for service in all_services() for problem in unknown_hooks(service)]


def unknown_hooks(service: DecisionService) -> list[checks.CheckMessage]:
    return [
        checks.Error(
            f"{service.id} answers {hook}, which is not in hooks/library.py",
            hint="Correct the name, or add the hook with its context to the library.",
            id="hooks.E001",
        )
        for hook in service.hooks
        if hook not in HOOKS
    ]
