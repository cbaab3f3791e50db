"""Who is using Bedside: the id_token, checked as OpenID Connect Core 1.0, 3.1.3.7, and SMART ask."""

from __future__ import annotations

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cds.connect import session_for
from cds.errors import Refused
from cds.models import Ehr
from smartapp.launch.configuration import SmartConfiguration

_ALGORITHMS = ["RS256", "RS384", "ES256", "ES384"]
_LEEWAY_SECONDS = 30


class Identity(msgspec.Struct, rename={"fhir_user": "fhirUser"}):
    """`sub` is unique at its issuer; `fhirUser` names the person in the record."""

    sub: str
    fhir_user: str = ""
    azp: str | None = None


def identify(id_token: str, *, ehr: Ehr, configuration: SmartConfiguration, nonce: str) -> Identity:
    """The claims, believed; Refused for a token that is forged, old, replayed, or meant for somebody else."""
    try:
        token = jwt.decode(id_token, _keys(ehr, configuration), algorithms=_ALGORITHMS)
        jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": configuration.issuer},
            aud={"essential": True, "value": ehr.client_id},
            nonce={"essential": True, "value": nonce},
            exp={"essential": True},
            iat={"essential": True},
        ).validate(token.claims)
        identity = msgspec.convert(token.claims, type=Identity)
    except (JoseError, ValueError) as error:
        raise Refused(f"id_token: {type(error).__name__}") from error
    if identity.azp not in {None, ehr.client_id}:
        raise Refused("id_token: authorized for another client")
    return identity


def _keys(ehr: Ehr, configuration: SmartConfiguration) -> KeySet:
    """Fetched at each launch: an EHR may rotate its keys at any time, and launches are few."""
    response = session_for(ehr).get(configuration.jwks_uri)
    return KeySet.import_key_set(msgspec.json.decode(response.content))
