"""Begin: a chart's address and ticket, or a picked EHR, become a row and the address of its authorization page."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from cds.configuration import configuration_of
from cds.connect import dialect_of
from cds.errors import FhirInvalid
from cds.facilities import differ
from cds.models import Ehr
from cds.oauth import client_of
from smartapp import cookies
from smartapp.answers import shown_services
from smartapp.launch.scopes import scopes_for
from smartapp.launch.tokens import redirect_uri
from smartapp.models import Launch, forget_the_old


@dataclass(frozen=True, kw_only=True)
class Begun:
    """Where to send the browser, and the secret that it must bring back."""

    url: str
    cookie: str
    secret: str


def registered(iss: str) -> Ehr | None:
    """The active EHR of exactly this base, a trailing slash aside. Nothing is fetched from any other address."""
    if "\0" in iss:  # PostgreSQL refuses it in a question
        return None
    base = iss.removesuffix("/")
    return Ehr.objects.filter(active=True, fhir_base__in=[base, f"{base}/"]).first()


def begin(ehr: Ehr, ticket: str = "") -> Begun:
    """SMART App Launch 2.2, "Obtain authorization code": PKCE S256, a state of 256 bits, a nonce; all kept by us.

    `ticket` is the EHR's `launch`; a standalone launch has none.
    """
    forget_the_old()
    if not ehr.client_id:
        raise FhirInvalid("the EHR's row has no client id", url=ehr.fhir_base)
    configuration = configuration_of(ehr)
    state, secret, nonce = (secrets.token_urlsafe(32) for _ in range(3))
    verifier = secrets.token_urlsafe(64)
    asked = scopes_for(
        shown_services(ehr),
        configuration,
        standalone=not ticket,
        refresh=ehr.refresh,
        by_facility=differ(ehr),
        version=dialect_of(ehr).version,
    )
    client = client_of(ehr, token_endpoint=configuration.token_endpoint, scope=asked, redirect_uri=redirect_uri())
    url, _ = client.create_authorization_url(
        configuration.authorization_endpoint,
        state=state,
        code_verifier=verifier,
        nonce=nonce,
        aud=ehr.fhir_base,
        **({"launch": ticket} if ticket else {}),
    )
    Launch.objects.create(
        ehr=ehr,
        state_hash=cookies.digest(state),
        browser_hash=cookies.digest(secret),
        launch=ticket.encode(),
        verifier=verifier.encode(),
        nonce=nonce.encode(),
    )
    return Begun(url=url, cookie=cookie_of(state), secret=secret)


def cookie_of(state: str) -> str:
    """Each launch has its own cookie: several tabs launch at once without disturbing each other."""
    return f"launch-{cookies.digest(state)[:16]}"
