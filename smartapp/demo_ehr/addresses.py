"""Where the hospital and its one registered app are; read at each call, as a live server picks its port late."""

from __future__ import annotations

from django.conf import settings

CLIENT_ID = "bedside"
CLIENT_SECRET = "not a secret: 100 % demo"  # noqa: S105  for an app that chooses to be a client with a secret


def hospital(path: str = "") -> str:
    return f"{settings.DEMO_EHR_URL}{path}"


def fhir_base() -> str:
    return hospital("/fhir")


def token_endpoint() -> str:
    return hospital("/oauth/token")


def jwks_url() -> str:
    return hospital("/oauth/jwks")


def app(path: str = "") -> str:
    return f"{settings.BASE_URL}{path}"


def launch_url() -> str:
    return app("/launch")


def redirect_uri() -> str:
    return app("/callback")
