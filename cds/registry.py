"""Which services there are, by id: several services on one hook are normal, so never by hook."""

from __future__ import annotations

from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

from cds.errors import UnknownService
from cds.service import DecisionService

_services: dict[str, DecisionService] = {}
S = TypeVar("S", bound=type[DecisionService])


def register(cls: S) -> S:
    """Class decorator; a second service of the same id stops the start."""
    if cls.id in _services:
        raise ImproperlyConfigured(f"two decision services are called {cls.id}")
    _services[cls.id] = cls()
    return cls


def get(service_id: str) -> DecisionService:
    if service_id not in _services:
        raise UnknownService(f"there is no service {service_id[:80]!r}")
    return _services[service_id]


def all_services() -> list[DecisionService]:
    return [_services[key] for key in sorted(_services)]
