"""Keys from files, and tokens that are wrong in exactly one way."""

from __future__ import annotations

import base64
import hmac
import json

import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey, RSAKey

from hooks.conformance.signing import Signer, read_key

EC = ECKey.generate_key("P-384", auto_kid=True)
RSA = RSAKey.generate_key(2048, auto_kid=True)


@pytest.mark.parametrize("key", [EC, RSA], ids=["EC", "RSA"])
def test_a_key_is_read_from_a_jwk_and_from_pem(key: ECKey | RSAKey) -> None:
    jwk = json.dumps(key.as_dict(private=True)).encode()
    assert read_key(jwk, kid=None).kid == key.kid
    assert read_key(key.as_pem(private=True), kid="one").kid == "one"


def test_a_pem_without_a_kid_a_public_key_and_rubbish_are_refused() -> None:
    for text in (EC.as_pem(private=True), EC.as_pem(private=False), b"rubbish", b"{}", b"[]", b'{"kty": "oct"}'):
        with pytest.raises(ValueError, match="key"):
            read_key(text, kid=None)


@pytest.mark.parametrize("key", [EC, RSA], ids=["ES384", "RS384"])
def test_a_good_token_is_signed_for_its_audience(key: ECKey | RSAKey, request: pytest.FixtureRequest) -> None:
    signer = Signer(issuer="https://ehr.example", key=key, jku="https://ehr.example/jwks")
    token = jwt.decode(signer.good("https://cds.example"), key, algorithms=[signer.algorithm])
    assert token.claims["aud"] == "https://cds.example"
    assert (token.header["kid"], token.header["jku"]) == (key.kid, "https://ehr.example/jwks")


def test_a_token_of_another_key_does_not_verify_with_ours() -> None:
    for key in (EC, RSA):
        signer = Signer(issuer="https://ehr.example", key=key)
        with pytest.raises(BadSignatureError):
            jwt.decode(signer.of_another_key("https://cds.example"), key, algorithms=[signer.algorithm])


def test_a_token_signed_with_hs256_would_fool_a_service_that_takes_the_public_key_for_a_secret() -> None:
    signer = Signer(issuer="https://ehr.example", key=EC)
    unsigned, _, signature = signer.with_hs256("https://cds.example").rpartition(".")
    expected = hmac.digest(EC.as_pem(private=False), unsigned.encode(), "sha256")
    assert base64.urlsafe_b64decode(signature + "=") == expected
