"""What we ask for: reads derived from what the services need, creates from what "Save to chart" writes."""

from __future__ import annotations

from collections.abc import Iterable

from cds.fhir.versions import Version
from cds.models import Ehr
from cds.scopes import as_version_1
from cds.service import DecisionService
from cds.smart_configuration import SmartConfiguration

_IDENTITY = ("openid", "fhirUser")
# What "Save to chart" does: create; and with results of ours look whether they are there, and mark those that a later
# one supersedes. The document and the report are what takes their place where the EHR takes neither. Each is asked for
# by itself: a server that does not know one of them drops that one and not the right to create.
_WRITTEN = {
    "Device": ("c",),
    "DiagnosticReport": ("c", "u"),
    "DocumentReference": ("c", "u"),
    "Observation": ("c", "u"),
    "Provenance": ("c",),
    "RiskAssessment": ("c", "rs", "u"),
}


def scopes_for(
    services: Iterable[DecisionService],
    configuration: SmartConfiguration,
    *,
    standalone: bool = False,
    refresh: str = Ehr.Refresh.NEVER,
    by_facility: bool = False,
    version: Version = Version.R4,
) -> str:
    """In the syntax of version 2, or of version 1 where the server knows only that.

    An EHR launch brings its patient; in a standalone launch the EHR lets the clinician pick one (`launch/patient`).
    """
    needs = {need.resource for service in services for need in service.needs}
    ours = {"Patient", "Encounter"} if by_facility else {"Patient"}  # the encounter says in which facility
    needed = sorted({version.calls(resource) for resource in needs} | ours)
    opened = [f"patient/{kind}.rs" for kind in needed]
    opened += [f"patient/{kind}.{letters}" for kind, rights in _WRITTEN.items() for letters in rights]
    if configuration.speaks_version_1:
        opened = list(map(as_version_1, opened))
    begins = ("launch/patient" if standalone else "launch", *_IDENTITY, refresh)
    return " ".join(dict.fromkeys(filter(None, (*begins, *opened))))
