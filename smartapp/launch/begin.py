"""Begin: a chart's address and ticket become a row and the address of the EHR's authorization page."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings

from cds.http import bounded
from cds.models import Ehr
from smartapp import cookies
from smartapp.answers import live_services
from smartapp.launch.configuration import configuration_of
from smartapp.launch.scopes import scopes_for
from smartapp.models import Launch, forget_the_old


@dataclass(frozen=True, kw_only=True)
class Begun:
    """Where to send the browser, and the secret that it must bring back."""

    url: str
    cookie: str
    secret: str


def registered(iss: str) -> Ehr | None:
    """The active EHR of exactly this base, a trailing slash aside. Nothing is fetched from any other address."""
    base = iss.removesuffix("/")
    return Ehr.objects.filter(active=True, fhir_base__in=[base, f"{base}/"]).first()


def begin(ehr: Ehr, launch: str) -> Begun:
    """SMART App Launch 2.2, "Obtain authorization code": PKCE S256, a state of 256 bits, a nonce; all kept by us."""
    forget_the_old()
    configuration = configuration_of(ehr)
    state, secret, nonce = (secrets.token_urlsafe(32) for _ in range(3))
    verifier = secrets.token_urlsafe(64)
    url, _ = oauth_session(ehr, scope=scopes_for(live_services(ehr), configuration)).create_authorization_url(
        configuration.authorization_endpoint,
        state=state,
        code_verifier=verifier,
        nonce=nonce,
        launch=launch,
        aud=ehr.fhir_base,
    )
    Launch.objects.create(
        ehr=ehr,
        state_hash=cookies.digest(state),
        browser_hash=cookies.digest(secret),
        launch=launch.encode(),
        verifier=verifier.encode(),
        nonce=nonce.encode(),
    )
    return Begun(url=url, cookie=cookie_of(state), secret=secret)


def oauth_session(ehr: Ehr, *, scope: str | None = None) -> OAuth2Session:
    """Authlib's OAuth client within our limits; our client is public and proves itself with PKCE."""
    session = OAuth2Session(
        client_id=ehr.client_id,
        scope=scope,
        redirect_uri=f"{settings.BASE_URL}/callback",
        code_challenge_method="S256",
    )
    return bounded(session, origins=(ehr.fhir_base,), private_network=ehr.private_network)


def cookie_of(state: str) -> str:
    """Each launch has its own cookie: several tabs launch at once without disturbing each other."""
    return f"launch-{cookies.digest(state)[:16]}"
