"""A published set of keys: what can be read of it is used, and rubbish is no set."""

from __future__ import annotations

import json

import pytest
from joserfc.jwk import ECKey

from cds.public_keys import read_keys


def test_a_key_of_an_unknown_curve_or_type_does_not_spoil_the_others() -> None:
    good = ECKey.generate_key("P-384", {"kid": "good"}).as_dict(private=False)
    odd = [{"kty": "EC", "crv": "P-unknown", "x": "a", "y": "b"}, {"kty": "from the future"}, {}, 7]
    assert [key.kid for key in read_keys(json.dumps({"keys": [*odd, good]}).encode())] == ["good"]


@pytest.mark.parametrize("rubbish", [b"", b"<html>", b"[]", b"{}", b'{"keys": 7}', b'{"keys": "x"}', b"\xff"])
def test_what_is_no_set_of_keys_is_told_so(rubbish: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_keys(rubbish)
