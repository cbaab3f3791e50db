"""Who is using Bedside: the id_token, checked as OpenID Connect Core 1.0, 3.1.3.7, and SMART ask."""

from __future__ import annotations

from urllib.parse import urljoin

import msgspec
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cds.configuration import require_registered
from cds.connect import session_for
from cds.errors import FhirInvalid, Refused
from cds.models import Ehr
from cds.oauth import origins_of
from cds.public_keys import read_keys
from cds.smart_configuration import SmartConfiguration

_ALGORITHMS = ["RS256", "RS384", "ES256", "ES384"]
_LEEWAY_SECONDS = 30


class Identity(msgspec.Struct, rename={"fhir_user": "fhirUser"}):
    """`sub` is unique at `iss`; `fhirUser` names the person in the record."""

    iss: str
    sub: str
    fhir_user: str = ""
    azp: str | None = None


class Provider(msgspec.Struct, frozen=True):
    """Who signs, and where its keys are (OpenID Connect Discovery 1.0, 4.3)."""

    issuer: str
    jwks_uri: str


def identify(id_token: str, *, ehr: Ehr, configuration: SmartConfiguration, nonce: str) -> Identity:
    """The claims, believed; Refused for a token that is forged, old, replayed, or meant for somebody else."""
    try:
        provider = _provider(id_token, ehr, configuration)
        token = jwt.decode(id_token, _keys(ehr, provider), algorithms=_ALGORITHMS)
        jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": provider.issuer},
            aud={"essential": True, "value": ehr.client_id},
            nonce={"essential": True, "value": nonce},
            exp={"essential": True},
            iat={"essential": True},
        ).validate(token.claims)
        identity = msgspec.convert(token.claims, type=Identity)
    except (JoseError, FhirInvalid, ValueError) as error:
        raise Refused(f"id_token: {type(error).__name__}") from error
    if identity.azp not in {None, ehr.client_id}:
        raise Refused("id_token: authorized for another client")
    return identity


def _provider(id_token: str, ehr: Ehr, configuration: SmartConfiguration) -> Provider:
    """As the smart-configuration says; of an older server, as the issuer that the token claims says, if we may ask it."""
    if configuration.issuer and configuration.jwks_uri:
        return Provider(issuer=configuration.issuer, jwks_uri=configuration.jwks_uri)
    claimed = msgspec.json.decode(jws.extract_compact(id_token.encode()).payload, type=dict[str, object]).get("iss")
    issuer = configuration.issuer or str(claimed or "")
    url = require_registered(f"{issuer.rstrip('/')}/.well-known/openid-configuration", ehr, name="iss")
    found = msgspec.json.decode(session_for(ehr, origins=origins_of(ehr)).get(url).content, type=Provider)
    if found.issuer != issuer:
        raise Refused("id_token: its issuer is not who its configuration says")
    return Provider(issuer=issuer, jwks_uri=require_registered(urljoin(url, found.jwks_uri), ehr, name="jwks_uri"))


def _keys(ehr: Ehr, provider: Provider) -> KeySet:
    """Fetched at each launch: an EHR may rotate its keys at any time, and launches are few."""
    response = session_for(ehr, origins=origins_of(ehr)).get(provider.jwks_uri)
    return KeySet(list(read_keys(response.content)))
