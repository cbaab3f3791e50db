"""What will and won't work at an EHR, in plain words, from what it says of itself."""

from __future__ import annotations

from msgspec import Struct

from cds import registry
from cds.fhir.capability import Capability
from cds.fhir.searches import Announced, Searches
from cds.fhir.versions import Version, spoken
from cds.models import Ehr
from cds.onboarding import Survey
from cds.presets import BY_KEY
from cds.smart_configuration import SmartConfiguration

# What "Save to chart" creates; the first is the record that matters, the last the order that a card may suggest.
WRITTEN = ("RiskAssessment", "Observation", "ServiceRequest")


class Expectation(Struct, frozen=True, kw_only=True):
    """`works` is None for what cannot be seen from outside."""

    topic: str
    works: bool | None
    text: str


def outlook(survey: Survey) -> list[Expectation]:
    """Nothing is promised for what was not read."""
    found: list[Expectation] = []
    if survey.capability:
        found += [_version(survey.capability), _reads(survey.capability), _asked(survey)]
        version = _version_of(survey.capability)
        found += [_writes(survey.capability, version.calls(kind)) for kind in WRITTEN]
    if survey.smart:
        found += [_launch(survey.smart), _standalone(survey.smart), _scopes(survey.smart)]
        found += [_client(survey.smart), _sign_in(survey.smart)]
    return [*found, _hooks()]


def _version(found: Capability) -> Expectation:
    works = Version.of(found.fhir_version) is not None
    text = "read and written" if works else f"not supported; {spoken()} is needed"
    return Expectation(topic=f"FHIR {found.fhir_version or 'version unknown'}", works=works, text=text)


def _version_of(found: Capability) -> Version:
    return Version.of(found.fhir_version) or Version.R4


def _reads(found: Capability) -> Expectation:
    """Every resource that an installed service asks for."""
    version = _version_of(found)
    needed = {version.calls(need.resource) for service in registry.all_services() for need in service.needs}
    missing = sorted(kind for kind in needed if not found.can(kind, "read" if kind == "Patient" else "search-type"))
    text = (
        f"cannot be searched: {', '.join(missing)}. Answers will say that these could not be read."
        if missing
        else f"all that the services ask for: {', '.join(sorted(needed))}"
    )
    return Expectation(topic="Reading", works=not missing, text=text)


def _asked(survey: Survey) -> Expectation:
    """How Bedside asks this server for what was not prefetched."""
    announced = Announced.by(survey.capability) if survey.capability else Announced()
    searches = Searches(announced=announced, vendor=BY_KEY[survey.ehr.vendor])
    version = survey.dialect.version if survey.dialect else Version.R4
    needs = [version.asks(need) for service in registry.all_services() for need in service.needs]
    return Expectation(topic="How it is asked", works=True, text=searches.in_words(needs))


def _writes(found: Capability, kind: str) -> Expectation:
    works = found.can(kind, "create")
    text = "may be created, if the granted scopes allow it too" if works else f"the server creates no {kind}"
    return Expectation(topic=f"Writing {kind}", works=works, text=text)


def _announced(found: SmartConfiguration, capability: str) -> bool | None:
    """None where the server announces no capability at all, as those of SMART 1 do."""
    return capability in found.capabilities if found.capabilities else None


def _launch(found: SmartConfiguration) -> Expectation:
    works = _announced(found, "launch-ehr")
    text = "the app opens from the chart" if works else "not announced: ask whether apps can be opened from the chart"
    return Expectation(topic="Launch from the chart", works=works, text=text)


def _standalone(found: SmartConfiguration) -> Expectation:
    works = _announced(found, "launch-standalone")
    text = "offered by the server, which then asks for the patient" if works else "not announced by the server"
    return Expectation(topic="Launch outside the chart", works=works, text=text)


def _scopes(found: SmartConfiguration) -> Expectation:
    text = (
        "of version 1 (patient/Observation.read), since the server announces no other"
        if found.speaks_version_1
        else "of version 2 (patient/Observation.rs)"
    )
    return Expectation(topic="Scopes", works=True, text=text)


def _hooks() -> Expectation:
    hooks = sorted({hook for service in registry.all_services() for hook in service.hooks})
    text = f"cannot be seen from outside: ask whether it calls {', '.join(hooks)}, and with which keys it signs"
    return Expectation(topic="CDS Hooks", works=None, text=text)


def client_kind(found: SmartConfiguration | None) -> Ehr.ClientKind:
    """How the app should be registered: the safest kind that the server knows."""
    kinds = {
        "client-confidential-asymmetric": Ehr.ClientKind.ASYMMETRIC,
        "client-confidential-symmetric": Ehr.ClientKind.SYMMETRIC,
    }
    offered = [kind for name, kind in kinds.items() if found and name in found.capabilities]
    return offered[0] if offered else Ehr.ClientKind.PUBLIC


def _client(found: SmartConfiguration) -> Expectation:
    known = any(name.startswith("client-") for name in found.capabilities)
    text = f"register the app as: {client_kind(found).label}" if known else "not announced: ask how to register the app"
    return Expectation(topic="Registration", works=known or None, text=text)


def _sign_in(found: SmartConfiguration) -> Expectation:
    works = _announced(found, "sso-openid-connect")
    text = "the clinician is known by id_token" if works else "not announced: a launch needs to know the clinician"
    return Expectation(topic="Who is looking", works=works, text=text)
