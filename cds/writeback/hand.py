"""Who writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cds.fhir.client import FhirServer
from cds.identity import PatientIdentity

# May it do this to that? A resource type, and a letter of SMART's `cruds`.
May = Callable[[str, str], bool]


def as_the_server_says(_resource: str, _letter: str) -> bool:
    """For a token whose scopes are not known."""
    return True


@dataclass(frozen=True, kw_only=True)
class Hand:
    """A client that may write into one EHR, and the patient as that EHR describes them now.

    `caller`: a keyed hash of the clinician, or the name of our own system; what an EHR refuses one need not be refused
    to another.
    """

    client: FhirServer
    caller: str
    patient: PatientIdentity | None = None
    may: May = as_the_server_says


Lend = Callable[[], Hand]  # asked for only when it is needed: our own costs two requests
