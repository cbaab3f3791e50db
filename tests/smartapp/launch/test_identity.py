"""An id_token is believed only if it is this EHR's, for us, for this launch, now."""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from cds.configuration import configuration_of
from cds.errors import Refused
from cds.models import Ehr
from smartapp.launch.identity import Identity, identify
from tests.smartapp.stranger import Hospital

NONCE = "n-once"


def claims(hospital: Hospital, **changed: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {"iss": hospital.url, "aud": "bedside", "sub": "42", "nonce": NONCE, "iat": now, "exp": now + 300}
    return {name: value for name, value in (usual | changed).items() if value is not None}


def signed(hospital: Hospital, **changed: Any) -> str:
    key = hospital.key
    return jwt.encode({"alg": "RS256", "kid": str(key.kid)}, claims(hospital, **changed), key)


def believed(token: str, ehr: Ehr) -> Identity:
    return identify(token, ehr=ehr, configuration=configuration_of(ehr), nonce=NONCE)


def test_a_good_token_says_who_it_is(other_ehr: Ehr, stranger: Hospital) -> None:
    assert believed(signed(stranger, fhirUser="Practitioner/7"), other_ehr) == Identity(
        iss=stranger.url, sub="42", fhir_user="Practitioner/7"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://elsewhere.example.org"},
        {"iss": None},
        {"aud": "another-app"},
        {"aud": ["another-app", "third"]},
        {"aud": None},
        {"nonce": "of another launch"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"azp": "another-app"},
    ],
    ids=str,
)
def test_a_claim_that_is_wrong_or_missing_is_refused(
    other_ehr: Ehr, stranger: Hospital, changed: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        believed(signed(stranger, **changed), other_ehr)


def test_another_key_is_refused(other_ehr: Ehr, stranger: Hospital) -> None:
    forged = RSAKey.generate_key(2048, {"kid": str(stranger.key.kid)})
    with pytest.raises(Refused):
        believed(jwt.encode({"alg": "RS256", "kid": str(forged.kid)}, claims(stranger), forged), other_ehr)


def test_a_key_that_nobody_knows_breaks_no_launch(other_ehr: Ehr, stranger: Hospital) -> None:
    good = stranger.key.as_dict(private=False)
    odd = {"kty": "EC", "crv": "P-unknown", "kid": "odd", "x": "a", "y": "b"}
    stranger.pages["/jwks"] = (200, {"keys": [odd, good]})
    assert believed(signed(stranger), other_ehr).sub == "42"


@pytest.mark.parametrize("page", [{}, {"keys": 7}, {"keys": []}, []], ids=str)
def test_without_a_set_of_keys_nobody_is_believed(other_ehr: Ehr, stranger: Hospital, page: Any) -> None:
    stranger.pages["/jwks"] = (200, page)
    with pytest.raises(Refused):
        believed(signed(stranger), other_ehr)


def test_a_shared_secret_is_refused(other_ehr: Ehr, stranger: Hospital) -> None:
    """The classic: HS256 with the public key as the secret."""
    parts = [{"alg": "HS256", "kid": str(stranger.key.kid)}, claims(stranger)]
    signing_input = b".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    mac = hmac.digest(stranger.key.as_pem(private=False), signing_input, "sha256")
    token = f"{signing_input.decode()}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    with pytest.raises(Refused):
        believed(token, other_ehr)


@pytest.mark.parametrize("rubbish", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_rubbish_is_refused(other_ehr: Ehr, rubbish: str) -> None:
    with pytest.raises(Refused):
        believed(rubbish, other_ehr)


# --- An older server, whose smart-configuration names no issuer ---------------------------------------------------
@pytest.fixture
def old_server(stranger: Hospital) -> Hospital:
    del stranger.configuration["issuer"], stranger.configuration["jwks_uri"]
    openid = {"issuer": stranger.url, "jwks_uri": f"{stranger.url}/jwks"}
    stranger.pages["/.well-known/openid-configuration"] = (200, openid)
    return stranger


def test_an_older_servers_issuer_is_asked_for_its_keys(other_ehr: Ehr, old_server: Hospital) -> None:
    assert believed(signed(old_server), other_ehr).iss == old_server.url


def test_an_issuer_at_an_unregistered_origin_is_never_asked(other_ehr: Ehr, old_server: Hospital) -> None:
    elsewhere = f"http://localhost:{old_server.server_port}"
    with pytest.raises(Refused):
        believed(signed(old_server, iss=elsewhere), other_ehr)
    assert old_server.asked == ["/fhir/.well-known/smart-configuration"]


@pytest.mark.parametrize(
    "changed", [{"issuer": "https://other.example.org"}, {"jwks_uri": "https://other.example.org"}]
)
def test_an_issuer_must_stand_by_its_name_and_its_origin(
    other_ehr: Ehr, old_server: Hospital, changed: dict[str, str]
) -> None:
    _, openid = old_server.pages["/.well-known/openid-configuration"]
    old_server.pages["/.well-known/openid-configuration"] = (200, openid | changed)
    with pytest.raises(Refused):
        believed(signed(old_server), other_ehr)
