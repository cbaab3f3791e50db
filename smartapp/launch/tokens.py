"""The token end point: a code or a refresh token for an access token, and giving tokens back."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from authlib.integrations.base_client import OAuthError
from django.conf import settings
from requests import HTTPError

from cds.configuration import configuration_of
from cds.errors import FhirError, FhirUnreachable, Refused
from cds.models import Ehr
from cds.oauth import client_of
from cds.smart_configuration import SmartConfiguration

logger = logging.getLogger(__name__)

_SHORT_SECONDS = 300  # a token response without `expires_in`


class TokenResponse(msgspec.Struct, rename="camel"):
    """SMART App Launch 2.2, "Obtain access token". Unknown members, `smart_style_url` among them, are ignored."""

    access_token: str = msgspec.field(name="access_token")
    token_type: str = msgspec.field(name="token_type")
    scope: str
    id_token: str = msgspec.field(name="id_token", default="")
    refresh_token: str | None = msgspec.field(name="refresh_token", default=None)
    expires_in: int = msgspec.field(name="expires_in", default=_SHORT_SECONDS)
    need_patient_banner: bool = msgspec.field(name="need_patient_banner", default=True)
    patient: str | None = None
    encounter: str | None = None
    tenant: str | None = None
    intent: str | None = None
    app_context: Any = None
    fhir_context: Any = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """As granted. Split at blanks only: a granular scope contains `?` and `&`."""
        return tuple(self.scope.split())

    @property
    def renewable_with(self) -> str | None:
        """A refresh token that came without its scope is not used: nobody has agreed to it."""
        return self.refresh_token if {"online_access", "offline_access"} & set(self.scopes) else None


def redirect_uri() -> str:
    """As registered at every EHR, to the letter."""
    return f"{settings.BASE_URL}/callback"


def exchange(code: str, *, verifier: str, ehr: Ehr, configuration: SmartConfiguration) -> TokenResponse:
    """The code for a token, at the end point of the EHR that this launch began at. Refused, FhirUnreachable."""
    client = client_of(ehr, token_endpoint=configuration.token_endpoint, redirect_uri=redirect_uri())
    return _answer(ehr, lambda: client.fetch_token(configuration.token_endpoint, code=code, code_verifier=verifier))


def renew(refresh_token: str, *, ehr: Ehr) -> TokenResponse:
    """A refresh token is spent by this, whatever the answer. Refused, FhirUnreachable."""
    endpoint = configuration_of(ehr).token_endpoint
    client = client_of(ehr, token_endpoint=endpoint, token={"refresh_token": refresh_token})
    return _answer(ehr, lambda: client.refresh_token(endpoint, refresh_token=refresh_token))


def revoke(token: str, *, hint: str, ehr: Ehr) -> bool:
    """RFC 7009. False if the EHR has no such end point or does not take the token back now."""
    try:
        configuration = configuration_of(ehr)
        if not configuration.revocation_endpoint:
            return False
        client = client_of(ehr, token_endpoint=configuration.token_endpoint)
        response = client.revoke_token(configuration.revocation_endpoint, token=token, token_type_hint=hint)
    except FhirError as error:
        logger.warning("EHR %s did not take a token back: %s", ehr.pk, type(error).__name__)
        return False
    return bool(response.status_code == 200)


def _answer(ehr: Ehr, ask: Any) -> TokenResponse:
    try:
        found = msgspec.convert(dict(ask()), type=TokenResponse, strict=False)
    except HTTPError as error:
        raise FhirUnreachable("the token end point failed", http_status=error.response.status_code) from error
    except (OAuthError, ValueError) as error:
        logger.warning("EHR %s gave no token: %s", ehr.pk, type(error).__name__)
        raise Refused("no token") from error
    if found.token_type.lower() != "bearer":
        raise Refused("a token of an unknown type")
    return found
