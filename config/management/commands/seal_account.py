"""Give the emergency account a new password, shown once, to be kept in a sealed envelope."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from cds import audit
from config import tries
from config.sign_in import EMERGENCY


class Command(BaseCommand):
    """Again after each use: the old password stops working, and so do the sessions that it opened; an account that was
    closed after wrong passwords is open."""

    help = __doc__ or ""

    def handle(self, *_: Any, **__: Any) -> None:
        password = secrets.token_urlsafe(24)
        user, _new = User.objects.get_or_create(username=EMERGENCY)
        user.is_staff = user.is_superuser = user.is_active = True
        user.set_password(password)
        user.save()
        tries.forget(EMERGENCY)
        audit.record("seal-account", actor=audit.US)
        self.stdout.write(
            f"Account: {EMERGENCY}\nPassword: {password}\nIt is not shown again. Seal it; each use is audited."
        )
