"""How our OAuth client proves at an EHR who it is: by PKCE alone, by a secret, or by a signed assertion."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from cds import keys
from cds.errors import FhirError
from cds.models import Ehr
from cds.oauth import client_of
from tests.smartapp.stranger import Hospital, Posted

SMART_LONGEST_SECONDS = 300


@pytest.fixture
def asked(stranger: Hospital, other_ehr: Ehr) -> Any:
    """Exchanges a code as `client_kind`, and returns what the token end point was sent."""
    endpoint = f"{stranger.url}/token"
    stranger.pages["/token"] = (200, {"access_token": "a", "token_type": "Bearer"})

    def ask(**row: Any) -> Posted:
        for name, value in row.items():
            setattr(other_ehr, name, value)
        client_of(other_ehr, token_endpoint=endpoint).fetch_token(endpoint, code="c", code_verifier="v")
        return stranger.posted[-1]

    return ask


def test_a_public_client_names_itself_and_brings_the_verifier(asked: Any) -> None:
    sent = asked(client_kind="public")
    assert (sent.form["client_id"], sent.form["code_verifier"], sent.authorization) == ("bedside", "v", "")


def test_a_secret_goes_by_http_basic_with_each_half_form_encoded(asked: Any) -> None:
    sent = asked(client_kind="symmetric", client_id="bed:side", client_secret=b"100 % s\xc3\xa9cret:x")
    credentials = base64.b64decode(sent.authorization.removeprefix("Basic ")).decode()
    assert credentials == "bed%3Aside:100+%25+s%C3%A9cret%3Ax"
    assert "client_id" not in sent.form


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_an_assertion_is_signed_with_the_published_key_for_five_minutes_at_most(asked: Any, algorithm: str) -> None:
    sent = asked(client_kind="asymmetric", client_algorithm=algorithm)
    assert sent.form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert "client_id" not in sent.form
    published = KeySet.import_key_set(keys.public_keys())
    token = jwt.decode(sent.form["client_assertion"], published, algorithms=[algorithm])
    assert (token.header["alg"], token.header["typ"]) == (algorithm, "JWT")
    assert token.header["kid"] == keys.signing_key(algorithm).kid
    assert (token.claims["iss"], token.claims["sub"]) == ("bedside", "bedside")
    assert token.claims["aud"].endswith("/token")
    assert time.time() < token.claims["exp"] <= time.time() + SMART_LONGEST_SECONDS


def test_no_assertion_is_sent_twice(asked: Any) -> None:
    sent = [asked(client_kind="asymmetric").form["client_assertion"] for _ in range(2)]
    published = KeySet.import_key_set(keys.public_keys())
    first, second = (jwt.decode(one, published, algorithms=["ES384"]).claims["jti"] for one in sent)
    assert first != second


def test_the_client_reaches_no_origin_that_is_not_registered(other_ehr: Ehr, stranger: Hospital) -> None:
    elsewhere = f"http://localhost:{stranger.server_port}/token"
    with pytest.raises(FhirError, match="not registered"):
        client_of(other_ehr, token_endpoint=elsewhere).fetch_token(elsewhere, code="c")
    assert stranger.posted == []


def test_it_reaches_a_login_origin_that_is(other_ehr: Ehr, stranger: Hospital) -> None:
    other_ehr.login_origins = f"http://localhost:{stranger.server_port}"
    stranger.pages["/token"] = (200, {"access_token": "a", "token_type": "Bearer"})
    endpoint = f"{other_ehr.login_origins}/token"
    assert client_of(other_ehr, token_endpoint=endpoint).fetch_token(endpoint, code="c")["access_token"] == "a"
