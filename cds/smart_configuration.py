"""What an EHR says about its login: its smart-configuration, else, as in SMART 1, its CapabilityStatement."""

from __future__ import annotations

import msgspec

# The members that are addresses: each must lie at an origin that an administrator has registered.
ADDRESSES = ("issuer", "jwks_uri", "authorization_endpoint", "token_endpoint", "revocation_endpoint")
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


class SmartConfiguration(msgspec.Struct):
    """The members that matter here (SMART App Launch 2.2, "Conformance"); "" for an address that was not given."""

    authorization_endpoint: str = ""
    token_endpoint: str = ""
    issuer: str = ""
    jwks_uri: str = ""
    revocation_endpoint: str = ""
    capabilities: list[str] = []
    code_challenge_methods_supported: list[str] | None = None
    authorization_response_iss_parameter_supported: bool = False  # RFC 9207

    @property
    def complete(self) -> bool:
        """Can anybody log in with it?"""
        return bool(self.authorization_endpoint and self.token_endpoint)

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


def from_well_known(content: bytes) -> SmartConfiguration:
    """Raises one of cds.fhir.decoding.UNREADABLE. Whether it is complete, the caller asks."""
    return msgspec.json.decode(content, type=SmartConfiguration)


def from_metadata(content: bytes) -> SmartConfiguration:
    """SMART 1: the addresses stand in the CapabilityStatement, everything else is unknown. Raises as above."""
    found = msgspec.json.decode(content, type=_Capabilities)
    extensions = [one for rest in found.rest for one in rest.security.extension if one.url == _OAUTH_URIS]
    uris = {uri.url: uri.value for one in extensions for uri in one.extension}
    return SmartConfiguration(
        authorization_endpoint=uris.get("authorize", ""),
        token_endpoint=uris.get("token", ""),
        revocation_endpoint=uris.get("revoke", ""),
    )
