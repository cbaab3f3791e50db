"""The one way out to the network: bounded in time and size, to allowed origins only, never through a redirect."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter

from cds.errors import FhirError, FhirInvalid, FhirUnreachable

_BLOCK = 65_536


def origin(url: str) -> str:
    """scheme://host:port with the default port written out; what an allow-list compares."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


class BoundedAdapter(HTTPAdapter):
    """Mount it on any requests session, Authlib's included."""

    def __init__(self, *, origins: Iterable[str], private_network: bool) -> None:
        super().__init__()
        self.origins = {origin(url) for url in origins}
        self.private_network = private_network

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        url = request.url or ""
        self._allow(url)
        options |= {"stream": True, "timeout": settings.FHIR_TIMEOUT_SECONDS}
        try:
            response = super().send(request, **options)
            response._content = _bounded(response)
        except requests.RequestException as error:
            raise FhirUnreachable(type(error).__name__, url=url) from error
        if response.is_redirect:
            raise FhirInvalid("the server answered with a redirect", url=url, http_status=response.status_code)
        return response

    def _allow(self, url: str) -> None:
        if origin(url) not in self.origins:
            raise FhirError("this origin is not registered", url=url)
        if not self.private_network and any(not address.is_global for address in _addresses(url)):
            raise FhirError("this origin lies in a private network, which the EHR's row does not allow", url=url)


def bounded(session: requests.Session, *, origins: Iterable[str], private_network: bool) -> requests.Session:
    """`session` with our limits; proxies and credentials of the environment are ignored."""
    adapter = BoundedAdapter(origins=origins, private_network=private_network)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.trust_env = False
    return session


def _bounded(response: requests.Response) -> bytes:
    """The body, decompressed, up to FHIR_MAX_BYTES."""
    body = bytearray()
    for block in response.iter_content(_BLOCK):
        body += block
        if len(body) > settings.FHIR_MAX_BYTES:
            response.close()
            raise FhirInvalid(f"an answer of more than {settings.FHIR_MAX_BYTES} bytes", url=response.url)
    return bytes(body)


def _addresses(url: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    host = urlsplit(url).hostname or ""
    try:
        found = socket.getaddrinfo(host, None)
    except socket.gaierror as error:
        raise FhirUnreachable("the host name does not resolve", url=url) from error
    return [ipaddress.ip_address(str(address[4][0]).partition("%")[0]) for address in found]
