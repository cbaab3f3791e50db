"""A caller's keys: read from its address only, kept no longer than it says, and of two that fit none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.simple_server import make_server

import pytest
from django.core.cache import caches
from joserfc.jwk import ECKey, RSAKey

from cds.errors import Refused
from cds.models import Ehr
from smartapp.backend.jwks import key_for
from smartapp.backend.models import BackendClient
from tests.serving import Quiet, serving
from tests.smartapp.backend.outside import EC, RSA, Outside


@dataclass
class KeyServer:
    """Publishes what it is given, and remembers how it was asked."""

    keys: list[dict[str, Any]] = field(default_factory=list)
    status: str = "200 OK"
    cache_control: str = "max-age=900"
    body: bytes = b""
    accepted: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.accepted.append(environ["HTTP_ACCEPT"])
        headers = [("Content-Type", "application/json"), ("Location", "http://127.0.0.1:1/"), *self._cached()]
        start_response(self.status, headers)
        return [self.body or json.dumps({"keys": self.keys}).encode()]

    def _cached(self) -> list[tuple[str, str]]:
        return [("Cache-Control", self.cache_control)] if self.cache_control else []

    @property
    def asked(self) -> int:
        return len(self.accepted)

    def publish(self, kid: str, **more: Any) -> None:
        self.keys.append({**ECKey.generate_key("P-384").as_dict(private=False), "kid": kid, **more})


@pytest.fixture
def publisher() -> Iterator[tuple[KeyServer, str]]:
    caches["process"].clear()
    app = KeyServer()
    app.publish("one")
    with serving(make_server("127.0.0.1", 0, app, handler_class=Quiet)) as server:
        yield app, f"http://127.0.0.1:{server.server_port}/jwks"


@pytest.fixture
def keys(publisher: tuple[KeyServer, str]) -> KeyServer:
    return publisher[0]


@pytest.fixture
def client_row(ehr: Ehr, publisher: tuple[KeyServer, str]) -> BackendClient:
    return Outside.registered(ehr, jwks="", jwks_url=publisher[1]).row


def found(client: BackendClient, kid: str, algorithm: str = "ES384") -> bool:
    try:
        return key_for(client, kid=kid, algorithm=algorithm).kid == kid
    except Refused:
        return False


def minutes_later() -> None:
    """The pause between two readings is over."""
    cache = caches["process"]
    for key in [key for key in getattr(cache, "_cache", {}) if key.endswith((":again", ":failed"))]:
        cache.delete(key.removeprefix(":1:"))


def test_keys_are_read_once_and_kept_as_long_as_they_may(client_row: BackendClient, keys: KeyServer) -> None:
    assert all(found(client_row, "one") for _ in range(5))
    assert keys.accepted == ["application/json"]


@pytest.mark.parametrize("said", ["no-store", "no-cache", "max-age=0"])
def test_what_may_not_be_kept_is_not_kept(client_row: BackendClient, keys: KeyServer, said: str) -> None:
    keys.cache_control = said
    assert all(found(client_row, "one") for _ in range(3))
    assert keys.asked == 3


def test_without_a_word_they_are_kept_for_minutes(client_row: BackendClient, keys: KeyServer) -> None:
    keys.cache_control = ""
    assert all(found(client_row, "one") for _ in range(3))
    assert keys.asked == 1


def test_an_unknown_kid_makes_us_read_again_once(client_row: BackendClient, keys: KeyServer) -> None:
    assert found(client_row, "one")
    minutes_later()
    keys.publish("two")
    assert found(client_row, "two")
    assert not any(found(client_row, f"made up {number}") for number in range(20))
    assert keys.asked == 2


def test_a_key_that_was_withdrawn_is_gone_when_the_set_is_read_again(
    client_row: BackendClient, keys: KeyServer
) -> None:
    assert found(client_row, "one")
    keys.keys.clear()
    keys.publish("two")
    minutes_later()
    assert found(client_row, "two")
    assert not found(client_row, "one")


@pytest.mark.parametrize(
    ("status", "body"),
    [("503 Down", b""), ("302 Found", b""), ("200 OK", b"[]"), ("200 OK", b"{"), ("200 OK", b" " * 65_537)],
    ids=["down", "redirect", "no set", "no json", "too long"],
)
def test_keys_that_cannot_be_read_are_asked_for_once_and_not_by_every_call(
    client_row: BackendClient, keys: KeyServer, status: str, body: bytes
) -> None:
    keys.status, keys.body = status, body or b"x"
    assert not any(found(client_row, "one") for _ in range(5))
    assert keys.asked == 1
    keys.status, keys.body = "200 OK", b""
    minutes_later()
    assert found(client_row, "one")


def test_more_keys_than_anybody_needs_are_no_set(client_row: BackendClient, keys: KeyServer) -> None:
    for number in range(20):
        keys.publish(f"more {number}")
    assert not found(client_row, "one")


def test_two_keys_of_one_kid_are_none(client_row: BackendClient, keys: KeyServer) -> None:
    keys.publish("one")
    assert not found(client_row, "one")


@pytest.mark.filterwarnings("ignore:Key size should be")
def test_a_key_for_something_else_is_ignored(client_row: BackendClient, keys: KeyServer) -> None:
    keys.publish("secret", use="enc")
    keys.keys.append({**EC.as_dict(private=True), "kid": "private"})
    keys.keys.append({**RSAKey.generate_key(1024).as_dict(private=False), "kid": "short"})
    keys.keys.append({**ECKey.generate_key("P-256").as_dict(private=False), "kid": "curve"})
    for kid, algorithm in (("secret", "ES384"), ("private", "ES384"), ("short", "RS384"), ("curve", "ES384")):
        assert not found(client_row, kid, algorithm)


def test_a_key_fits_its_algorithm_only(ehr: Ehr) -> None:
    client = Outside.registered(ehr).row
    assert found(client, str(RSA.kid), "RS384")
    assert not found(client, str(RSA.kid), "ES384")


def test_a_private_address_is_asked_only_where_the_hospital_is_private(
    client_row: BackendClient, keys: KeyServer
) -> None:
    client_row.ehr.private_network = False
    assert not found(client_row, "one")
    assert keys.asked == 0
