"""What an EHR says about its login: smart-configuration, else CapabilityStatement; within limits, checked, cached."""

from __future__ import annotations

import hashlib
from urllib.parse import urljoin

import msgspec
from django.core.cache import cache

from cds.connect import session_for
from cds.errors import FhirError, FhirInvalid, FhirUnreachable
from cds.fhir.decoding import UNREADABLE
from cds.http import origin
from cds.models import Ehr
from cds.oauth import origins_of
from cds.smart_configuration import ADDRESSES, SmartConfiguration, from_metadata, from_well_known

_CACHE_SECONDS = 300


def configuration_of(ehr: Ehr) -> SmartConfiguration:
    """For a launch. Raises FhirInvalid if nobody can log in with it."""
    found = published(ehr)
    if not found.complete:
        raise FhirInvalid("smart-configuration or oauth-uris missing or incomplete", url=ehr.fhir_base)
    if found.code_challenge_methods_supported is not None and "S256" not in found.code_challenge_methods_supported:
        raise FhirInvalid("the server does not support PKCE with S256", url=ehr.fhir_base)
    return found


def published(ehr: Ehr) -> SmartConfiguration:
    """What there is of it. Raises FhirInvalid if any address in it leaves the registered origins."""
    key = f"cds:configuration:{hashlib.sha256(' '.join(origins_of(ehr)).encode()).hexdigest()}"
    stored: bytes | None = cache.get(key)
    if stored is None:
        stored = msgspec.json.encode(_registered(_well_known(ehr) or _oauth_uris(ehr), ehr))
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
        return from_well_known(content)
    except UNREADABLE as error:
        raise FhirInvalid("the smart-configuration is incomplete", url=ehr.fhir_base) from error


def _oauth_uris(ehr: Ehr) -> SmartConfiguration:
    try:
        return from_metadata(_read(ehr, "metadata") or b"{}")
    except UNREADABLE as error:
        raise FhirInvalid("the CapabilityStatement cannot be read", url=ehr.fhir_base) from error


def _read(ehr: Ehr, path: str) -> bytes | None:
    """None if the server has no such page; FhirUnreachable if it may have it later."""
    url = f"{ehr.fhir_base.rstrip('/')}/{path}"
    response = session_for(ehr).get(url, headers={"Accept": "application/json"})
    status = response.status_code
    if status == 429 or status >= 500:
        raise FhirUnreachable("the EHR's login settings cannot be read now", url=url, http_status=status)
    return response.content if status == 200 else None


def _registered(found: SmartConfiguration, ehr: Ehr) -> SmartConfiguration:
    for member in ADDRESSES:
        if given := getattr(found, member):
            setattr(found, member, require_registered(_absolute(given, ehr, name=member), ehr, name=member))
    return found


def _absolute(given: str, ehr: Ehr, *, name: str) -> str:
    try:
        return urljoin(f"{ehr.fhir_base.rstrip('/')}/", given)
    except ValueError as error:
        raise FhirInvalid(f"{name} is not an address", url=ehr.fhir_base) from error
