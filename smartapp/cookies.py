"""Cookies that work inside the EHR's frame: one per launch and one per session, each with its own secret.

`__Host-`: this host only. `SameSite=None; Partitioned`: sent in a third-party frame, kept apart for each embedding site.
"""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import Morsel

from django.http import HttpRequest, HttpResponse

# Python knows the attribute from 3.14 on. These two tables are what Morsel accepts and prints without a value.
Morsel._reserved.setdefault("partitioned", "Partitioned")  # type: ignore[attr-defined]
Morsel._flags.add("partitioned")  # type: ignore[attr-defined]


def set_secret(response: HttpResponse, name: str, secret: str, *, seconds: int) -> None:
    """Give this browser the secret; `name` tells launches and sessions apart."""
    key = _key(name)
    response.set_cookie(key, secret, max_age=seconds, path="/", secure=True, httponly=True, samesite="None")
    response.cookies[key]["partitioned"] = True


def forget_secret(response: HttpResponse, name: str) -> None:
    """A cookie is only deleted by one with the same attributes."""
    set_secret(response, name, "", seconds=0)


def secret_in(request: HttpRequest, name: str) -> str:
    """The secret that the browser brought, or ""."""
    return request.COOKIES.get(_key(name), "")


def digest(secret: str) -> str:
    """What the database keeps of a random secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def fits(secret: str, kept: str) -> bool:
    """Is it the secret of which we kept the digest?"""
    return bool(secret) and hmac.compare_digest(digest(secret), kept)


def _key(name: str) -> str:
    return f"__Host-bedside-{name}"
