"""People who sign in at the admin, by role."""

from __future__ import annotations

from django.contrib.auth.models import Group, User
from django.test import Client


def signed_in(name: str, role: str = "", *, superuser: bool = False) -> Client:
    user = User.objects.create_user(name, is_staff=True, is_superuser=superuser)
    user.groups.set(Group.objects.filter(name=role))
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client
