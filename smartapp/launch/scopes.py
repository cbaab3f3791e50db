"""What we ask for: reads derived from what the services need, creates from what "Save to chart" writes."""

from __future__ import annotations

from collections.abc import Iterable

from cds.service import DecisionService
from smartapp.launch.configuration import SmartConfiguration

_CONTEXT = ("launch", "openid", "fhirUser")
_WRITTEN = ("Device", "Observation", "Provenance", "RiskAssessment")


def scopes_for(services: Iterable[DecisionService], configuration: SmartConfiguration) -> str:
    """In the syntax of version 2, or of version 1 where the server knows only that."""
    old = "permission-v1" in configuration.capabilities and "permission-v2" not in configuration.capabilities
    read, create = ("read", "write") if old else ("rs", "c")
    needed = sorted({need.resource for service in services for need in service.needs} | {"Patient"})
    return " ".join(
        (*_CONTEXT, *(f"patient/{kind}.{read}" for kind in needed), *(f"patient/{kind}.{create}" for kind in _WRITTEN))
    )
