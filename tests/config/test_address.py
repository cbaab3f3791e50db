"""Where a request comes from, as far as it can be known."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from cds.audit import caller_address
from config.address import address_of, noted


def request(peer: str, forwarded: str | None = None) -> str:
    headers: dict[str, Any] = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return address_of(RequestFactory().get("/", REMOTE_ADDR=peer, **headers))


def test_it_is_the_peers() -> None:
    assert request("203.0.113.9") == "203.0.113.9"


def test_without_a_proxy_nobody_can_claim_another_address() -> None:
    assert request("203.0.113.9", "198.51.100.1") == "203.0.113.9"


def test_behind_our_proxy_it_is_the_one_that_the_proxy_appended(settings: Settings) -> None:
    settings.BEHIND_PROXY = True
    assert request("10.0.0.1", "198.51.100.1, 203.0.113.9") == "203.0.113.9"


@pytest.mark.parametrize("rubbish", ["", "unknown", "<script>", "1.2.3.4:80"])
def test_what_is_no_address_is_none(settings: Settings, rubbish: str) -> None:
    settings.BEHIND_PROXY = True
    assert request("", rubbish) == ""


def test_it_is_noted_for_the_request_and_forgotten_after_it() -> None:
    seen = []

    def view(_: object) -> HttpResponse:
        seen.append(caller_address.get())
        return HttpResponse()

    noted(view)(RequestFactory().get("/", REMOTE_ADDR="2001:db8::9"))
    assert (seen, caller_address.get()) == (["2001:db8::9"], "")
