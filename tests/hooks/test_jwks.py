"""The EHR's keys: kept as long as it says, read again on an unknown kid, never more often than they must be."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import make_server

import pytest
from joserfc.jwk import ECKey, RSAKey

from cds.errors import Refused
from cds.models import Ehr
from hooks.jwks import key_for, seconds_to_keep
from tests.serving import Quiet, serving


class KeyServer:
    """Publishes what it is given, and counts who asks."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.status, self.body, self.asked = "200 OK", b"", 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.asked += 1
        start_response(self.status, [("Content-Type", "application/json"), ("Cache-Control", "max-age=900")])
        return [self.body or json.dumps({"keys": self.keys}).encode()]

    def publish(self, kid: str) -> None:
        self.keys.append({**ECKey.generate_key("P-384").as_dict(private=False), "kid": kid})


@pytest.fixture
def published(ehr: Ehr) -> Iterator[KeyServer]:
    app = KeyServer()
    app.publish("one")
    with serving(make_server("127.0.0.1", 0, app, handler_class=Quiet)) as server:
        ehr.hook_jwks_url = f"http://127.0.0.1:{server.server_port}/jwks"
        yield app


def found(ehr: Ehr, kid: str, key_type: str = "EC") -> bool:
    try:
        return key_for(ehr, kid=kid, key_type=key_type).kid == kid
    except Refused:
        return False


def test_keys_are_read_once_and_kept(published: KeyServer, ehr: Ehr) -> None:
    assert all(found(ehr, "one") for _ in range(5))
    assert published.asked == 1


def test_an_unknown_kid_makes_us_read_again_but_not_all_the_time(published: KeyServer, ehr: Ehr) -> None:
    assert not any(found(ehr, f"made up {number}") for number in range(20))
    assert published.asked == 1  # the first reading was a moment ago


def test_a_new_key_is_found_when_the_moment_has_passed(published: KeyServer, ehr: Ehr) -> None:
    from django.core.cache import cache

    from hooks.jwks import _place

    assert found(ehr, "one")
    published.publish("two")
    cache.delete(f"{_place(ehr)}:read")
    assert found(ehr, "two")
    assert published.asked == 2


def test_a_server_that_is_down_is_not_asked_again_and_again(published: KeyServer, ehr: Ehr) -> None:
    published.status = "503 Busy"
    assert not any(found(ehr, "one") for _ in range(20))
    assert published.asked == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"keys": 7}', b"{}", b'{"keys": [7, "x", {}]}'])
def test_what_is_no_key_set_is_refused(published: KeyServer, ehr: Ehr, body: bytes) -> None:
    published.body = body
    assert not found(ehr, "one")


def test_one_unreadable_key_does_not_spoil_the_others(published: KeyServer, ehr: Ehr) -> None:
    published.keys.insert(0, {"kty": "EC", "crv": "P-unknown", "kid": "odd"})
    published.keys.insert(0, {"kty": "from the future", "kid": "odd"})
    assert found(ehr, "one")


def test_a_kid_that_two_keys_have_is_nobodys(published: KeyServer, ehr: Ehr) -> None:
    published.publish("one")
    assert not found(ehr, "one")


def test_a_key_of_another_type_is_not_taken(published: KeyServer, ehr: Ehr) -> None:
    published.keys.append({**RSAKey.generate_key(2048).as_dict(private=False), "kid": "rsa"})
    assert found(ehr, "rsa", "RSA")
    assert not found(ehr, "rsa", "EC")


def test_another_address_is_another_place_in_the_cache(published: KeyServer, ehr: Ehr) -> None:
    assert found(ehr, "one")
    ehr.hook_jwks_url += "/elsewhere"
    assert found(ehr, "one")
    assert published.asked == 2


def test_the_reason_names_no_key(published: KeyServer, ehr: Ehr, caplog: pytest.LogCaptureFixture) -> None:
    published.keys.insert(0, {"kty": "EC", "crv": "P-384", "x": "secret-x", "kid": "odd"})
    with caplog.at_level(logging.DEBUG):
        found(ehr, "one")
    assert "secret-x" not in caplog.text


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("", 300),
        ("public, max-age=900", 900),
        ('max-age="900"', 900),
        ("max-age=5", 60),
        ("max-age=99999999", 86_400),
        ("max-age=-1", 300),
        ("s-maxage=900", 300),
        ("no-store", 60),
        ("No-Cache, max-age=900", 60),
        ("max-age=" + "9" * 5000, 86_400),
    ],
)
def test_cache_control_counts_within_a_minute_and_a_day(cache_control: str, seconds: int) -> None:
    assert seconds_to_keep(cache_control) == seconds
