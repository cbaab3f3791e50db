"""What an EHR says about its login: smart-configuration, else CapabilityStatement; within limits, checked, cached."""

from __future__ import annotations

from urllib.parse import urljoin

import msgspec
from django.core.cache import cache

from cds.connect import session_for
from cds.errors import FhirError, FhirInvalid, FhirUnreachable
from cds.http import origin
from cds.models import Ehr
from cds.oauth import origins_of
from smartapp.cookies import digest

_CACHE_SECONDS = 300
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_ADDRESSES = ("issuer", "jwks_uri", "authorization_endpoint", "token_endpoint", "revocation_endpoint")


class SmartConfiguration(msgspec.Struct):
    """The members that a launch needs (SMART App Launch 2.2, "Conformance"); "" for an address that was not given."""

    authorization_endpoint: str
    token_endpoint: str
    issuer: str = ""
    jwks_uri: str = ""
    revocation_endpoint: str = ""
    capabilities: list[str] = []
    code_challenge_methods_supported: list[str] | None = None
    authorization_response_iss_parameter_supported: bool = False  # RFC 9207

    @property
    def speaks_version_1(self) -> bool:
        """Whether scopes must be asked in the syntax of version 1. Servers of that time name no PKCE methods either."""
        of_that_time = "permission-v1" in self.capabilities or self.code_challenge_methods_supported is None
        return of_that_time and "permission-v2" not in self.capabilities


class _Uri(msgspec.Struct, rename={"value": "valueUri"}):
    url: str = ""
    value: str = ""


class _Extension(msgspec.Struct):
    url: str = ""
    extension: list[_Uri] = []


class _Security(msgspec.Struct, frozen=True):
    extension: list[_Extension] = []


class _Rest(msgspec.Struct):
    security: _Security = _Security()


class _Capabilities(msgspec.Struct):
    """A CapabilityStatement, as far as SMART 1 speaks through it."""

    rest: list[_Rest] = []


def configuration_of(ehr: Ehr) -> SmartConfiguration:
    """Raises FhirInvalid if it is unusable, or if any address in it leaves the registered origins."""
    key = f"smartapp:configuration:{digest(' '.join(origins_of(ehr)))}"
    stored: bytes | None = cache.get(key)
    if stored is None:
        stored = msgspec.json.encode(_checked(_well_known(ehr) or _oauth_uris(ehr), ehr))
        cache.set(key, stored, _CACHE_SECONDS)
    return msgspec.json.decode(stored, type=SmartConfiguration)


def require_registered(url: str, ehr: Ehr, *, name: str) -> str:
    """`url` itself; FhirInvalid if it lies at none of the origins that an administrator has registered."""
    try:
        if origin(url) in {origin(known) for known in origins_of(ehr)}:
            return url
    except FhirError as error:
        raise FhirInvalid(f"{name} is not an address", url=ehr.fhir_base) from error
    raise FhirInvalid(f"{name} leaves the registered origins", url=ehr.fhir_base)


def _well_known(ehr: Ehr) -> SmartConfiguration | None:
    """Appended to the base with its path, whatever RFC 5785 says."""
    content = _read(ehr, ".well-known/smart-configuration")
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=SmartConfiguration)
    except msgspec.DecodeError as error:
        raise FhirInvalid("the smart-configuration is incomplete", url=ehr.fhir_base) from error


def _oauth_uris(ehr: Ehr) -> SmartConfiguration:
    """SMART 1: the addresses stand in the CapabilityStatement, everything else is unknown."""
    try:
        found = msgspec.json.decode(_read(ehr, "metadata") or b"{}", type=_Capabilities)
    except msgspec.DecodeError as error:
        raise FhirInvalid("the CapabilityStatement cannot be read", url=ehr.fhir_base) from error
    extensions = [one for rest in found.rest for one in rest.security.extension if one.url == _OAUTH_URIS]
    uris = {uri.url: uri.value for one in extensions for uri in one.extension}
    if not uris.get("authorize") or not uris.get("token"):
        raise FhirInvalid("no smart-configuration, and no oauth-uris in the CapabilityStatement", url=ehr.fhir_base)
    return SmartConfiguration(
        authorization_endpoint=uris["authorize"],
        token_endpoint=uris["token"],
        revocation_endpoint=uris.get("revoke", ""),
    )


def _read(ehr: Ehr, path: str) -> bytes | None:
    """None if the server has no such page; FhirUnreachable if it may have it later."""
    url = f"{ehr.fhir_base.rstrip('/')}/{path}"
    response = session_for(ehr).get(url, headers={"Accept": "application/json"})
    status = response.status_code
    if status == 429 or status >= 500:
        raise FhirUnreachable("the EHR's login settings cannot be read now", url=url, http_status=status)
    return response.content if status == 200 else None


def _checked(found: SmartConfiguration, ehr: Ehr) -> SmartConfiguration:
    if found.code_challenge_methods_supported is not None and "S256" not in found.code_challenge_methods_supported:
        raise FhirInvalid("the server does not support PKCE with S256", url=ehr.fhir_base)
    for member in _ADDRESSES:
        if given := getattr(found, member):
            url = urljoin(f"{ehr.fhir_base.rstrip('/')}/", given)
            setattr(found, member, require_registered(url, ehr, name=member))
    return found
