"""What we ask for: reads derived from what the services need, creates from what "Save to chart" writes."""

from __future__ import annotations

from collections.abc import Iterable

from cds.fhir.versions import Version
from cds.models import Ehr
from cds.service import DecisionService
from cds.smart_configuration import SmartConfiguration

_IDENTITY = ("openid", "fhirUser")
_WRITTEN = ("Device", "DocumentReference", "Observation", "Provenance", "RiskAssessment")


def scopes_for(
    services: Iterable[DecisionService],
    configuration: SmartConfiguration,
    *,
    standalone: bool = False,
    refresh: str = Ehr.Refresh.NEVER,
    version: Version = Version.R4,
) -> str:
    """In the syntax of version 2, or of version 1 where the server knows only that.

    An EHR launch brings its patient; in a standalone launch the EHR lets the clinician pick one (`launch/patient`).
    """
    read, create = ("read", "write") if configuration.speaks_version_1 else ("rs", "c")
    needed = sorted({version.calls(need.resource) for service in services for need in service.needs} | {"Patient"})
    asked = (
        "launch/patient" if standalone else "launch",
        *_IDENTITY,
        refresh,
        *(f"patient/{kind}.{read}" for kind in needed),
        *(f"patient/{kind}.{create}" for kind in _WRITTEN),
    )
    return " ".join(filter(None, asked))
