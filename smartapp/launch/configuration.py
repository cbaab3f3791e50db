"""What an EHR says about its login: `.well-known/smart-configuration`, fetched within limits, checked, cached."""

from __future__ import annotations

from urllib.parse import urljoin

import msgspec
from django.core.cache import cache

from cds.connect import session_for
from cds.errors import FhirInvalid
from cds.http import origin
from cds.models import Ehr

_CACHE_SECONDS = 300


class SmartConfiguration(msgspec.Struct):
    """The members that a launch needs (SMART App Launch 2.2, "Conformance")."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str
    token_endpoint: str
    capabilities: list[str] = []
    code_challenge_methods_supported: list[str] | None = None  # absent: a server of version 1, which ignores PKCE


def configuration_of(ehr: Ehr) -> SmartConfiguration:
    """Raises FhirInvalid if it is unusable, or if any address in it leaves the registered origin."""
    key = f"smartapp:configuration:{ehr.pk}:{ehr.fhir_base}"
    stored: bytes | None = cache.get(key)
    if stored is None:
        stored = _fetch(ehr)
        cache.set(key, stored, _CACHE_SECONDS)
    return msgspec.json.decode(stored, type=SmartConfiguration)


def _fetch(ehr: Ehr) -> bytes:
    """Appended to the base with its path, whatever RFC 5785 says."""
    url = f"{ehr.fhir_base.rstrip('/')}/.well-known/smart-configuration"
    response = session_for(ehr).get(url, headers={"Accept": "application/json"})
    if response.status_code != 200:
        raise FhirInvalid("no smart-configuration", url=url, http_status=response.status_code)
    try:
        found = msgspec.json.decode(response.content, type=SmartConfiguration)
    except msgspec.DecodeError as error:
        raise FhirInvalid("the smart-configuration is incomplete", url=url) from error
    return msgspec.json.encode(_checked(found, ehr))


def _checked(found: SmartConfiguration, ehr: Ehr) -> SmartConfiguration:
    if found.code_challenge_methods_supported is not None and "S256" not in found.code_challenge_methods_supported:
        raise FhirInvalid("the server does not support PKCE with S256", url=ehr.fhir_base)
    for member in ("issuer", "jwks_uri", "authorization_endpoint", "token_endpoint"):
        url = urljoin(f"{ehr.fhir_base.rstrip('/')}/", getattr(found, member))
        if origin(url) != origin(ehr.fhir_base):
            raise FhirInvalid(f"the smart-configuration's {member} leaves the registered origin", url=ehr.fhir_base)
        setattr(found, member, url)
    return found
