"""What must hold of the administrators' sign-in before we start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks

from config.roles import ROLES


@checks.register(checks.Tags.security)
def sign_in_is_complete(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """An issuer without roles would lock everybody out; a misspelt role would lock out somebody."""
    found: list[checks.CheckMessage] = []
    if unknown := sorted(set(settings.ADMIN_OIDC_ROLES.values()) - set(ROLES)):
        hint = f"The roles are: {', '.join(ROLES)}."
        found.append(checks.Error(f"ADMIN_OIDC_ROLES names {', '.join(unknown)}", hint=hint, id="config.E001"))
    if settings.ADMIN_OIDC_ISSUER and not (settings.ADMIN_OIDC_CLIENT_ID and settings.ADMIN_OIDC_ROLES):
        hint = "Set ADMIN_OIDC_CLIENT_ID and ADMIN_OIDC_ROLES."
        found.append(checks.Error("ADMIN_OIDC_ISSUER stands alone", hint=hint, id="config.E002"))
    return found
