"""The environment of a process that works on the tests' own database."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from django.db import connection


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": database_url(), **more}


def database_url() -> str:
    """The URL of the database that Django made for the tests."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
