"""The one way out to the network: bounded in time and size, to allowed origins only, never through a redirect.

A host name is looked up once, for each connection: the address that was checked is the address that is connected to, so
a name that changes its answer in between (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import io
import ipaddress
import socket
import time
from collections.abc import Iterable
from functools import partial
from http.client import HTTPResponse
from math import inf
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.connection import create_connection

from cds.errors import FhirError, FhirInvalid, FhirUnreachable

_BLOCK = 65_536
_ADDRESSES_TRIED = 4  # of one name: each may cost a time-out
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Where clouds hand out credentials; the first is link-local anyway.
_METADATA = {ipaddress.ip_address(address) for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200")}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def origin(url: str) -> str:
    """scheme://host:port with the default port written out; what an allow-list compares."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError as error:
        raise FhirError("not a URL") from error
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def bounded(
    session: requests.Session, *, origins: Iterable[str], private_network: bool, seconds: float = inf
) -> requests.Session:
    """`session` with our limits; proxies and credentials of the environment are ignored.

    `seconds`, from now, for all of its requests together, where somebody waits for them.
    """
    adapter = BoundedAdapter(origins=origins, private_network=private_network, ends=time.monotonic() + seconds)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.trust_env = False
    return session


def streamed(session: requests.Session, *, origins: Iterable[str], private_network: bool) -> requests.Session:
    """The same for files: each body is left to whoever asked, block by block, and so are redirects."""
    adapter = StreamedAdapter(origins=origins, private_network=private_network)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.trust_env = False
    return session


class BoundedAdapter(HTTPAdapter):
    """Mount it on any requests session, Authlib's included."""

    def __init__(self, *, origins: Iterable[str], private_network: bool, ends: float = inf) -> None:
        super().__init__()
        self.origins = {origin(url) for url in origins}
        self.private_network, self.ends = private_network, ends

    @property
    def answer_seconds(self) -> float:
        return settings.FHIR_ANSWER_SECONDS

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        url = request.url or ""
        self._allow(url)
        left = self.ends - time.monotonic()
        if left <= 0:
            raise FhirUnreachable("the time for all requests is used up", url=url)
        options |= {"stream": True, "timeout": min(left, settings.FHIR_TIMEOUT_SECONDS)}
        try:
            response = super().send(request, **options)
            return self._taken(response)
        except requests.RequestException as error:
            raise FhirUnreachable(type(error).__name__, url=url) from error
        except ValueError:  # of http.client; its text repeats the header, perhaps a token
            raise FhirInvalid("a header has characters that cannot be sent", url=url) from None

    def _taken(self, response: requests.Response) -> requests.Response:
        response._content = _bounded(response)
        if response.is_redirect:
            raise FhirInvalid("the server answered with a redirect", url=response.url, http_status=response.status_code)
        return response

    def get_connection_with_tls_context(self, *names: Any, **options: Any) -> HTTPConnectionPool:
        """urllib3's pool, whose connections look where they go."""
        pool = cast("HTTPConnectionPool", super().get_connection_with_tls_context(*names, **options))
        kind = _HttpsConnection if pool.scheme == "https" else _HttpConnection
        pool.ConnectionCls = partial(  # type: ignore[assignment]
            kind, private_network=self.private_network, ends=self.ends, answer_seconds=self.answer_seconds
        )
        return pool

    def _allow(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            raise FhirError("a URL with a user name in it")  # and no url: the password would be in the log
        if origin(url) not in self.origins:
            raise FhirError("this origin is not registered", url=url)
        if parts.scheme != "https" and not self.private_network:
            raise FhirError("this origin is not https, which only a private network may do without", url=url)


class StreamedAdapter(BoundedAdapter):
    """A file may take an hour, as long as it keeps coming; its size is for whoever writes it down to watch."""

    answer_seconds = 3600.0

    def _taken(self, response: requests.Response) -> requests.Response:
        if response.status_code >= 400:
            response._content = _bounded(response)  # why not: no file
        return response


# --- Where to ----------------------------------------------------------------------------------------------------
class _Looking:
    """Makes a urllib3 connection look the name up itself and connect to an address that is allowed."""

    response_class: Any

    def __init__(self, *names: Any, private_network: bool, ends: float, answer_seconds: float, **options: Any) -> None:
        super().__init__(*names, **options)
        self.private_network = private_network
        self.response_class = partial(_TimedResponse, ends=ends, seconds=answer_seconds)

    def _new_conn(self: Any) -> socket.socket:
        problem: Exception | None = None
        for address in allowed_addresses(self.host, private_network=self.private_network)[:_ADDRESSES_TRIED]:
            try:
                return create_connection(
                    (str(address), self.port), self.timeout, socket_options=HTTPConnection.default_socket_options
                )
            except TimeoutError as error:
                problem = ConnectTimeoutError(self, "no connection in time")
                problem.__cause__ = error
            except OSError as error:
                problem = NewConnectionError(self, type(error).__name__)
                problem.__cause__ = error
        raise problem or NewConnectionError(self, "no address")


def allowed_addresses(host: str, *, private_network: bool) -> list[Address]:
    """What the name stands for now. One address that is not allowed condemns the name."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise FhirUnreachable("the host name does not resolve") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        inner = _inner(address)
        if inner in _METADATA or inner.is_link_local or inner.is_multicast or inner.is_unspecified:
            raise FhirError("this origin lies where no EHR is: a link-local, multicast or metadata address")
        if not inner.is_global and not private_network:
            raise FhirError("this origin lies in a private network, which the EHR's row does not allow")
    return addresses


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one carries (mapped, 6to4, NAT64), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


# --- How long and how much ---------------------------------------------------------------------------------------
class _TimedResponse(HTTPResponse):
    """An answer, headers and body, that must be whole within so many seconds (FHIR_ANSWER_SECONDS)."""

    def __init__(self, sock: socket.socket, *names: Any, ends: float, seconds: float, **options: Any) -> None:
        super().__init__(sock, *names, **options)
        ends = min(ends, time.monotonic() + seconds)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock, ends=ends))


class _Timed(io.RawIOBase):
    """A socket's bytes. Each wait gets what is left of the time, so that dripping one byte now and then ends too."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, *, ends: float) -> None:
        self._raw, self._socket, self._ends = raw, sock, ends
        self._patience = sock.gettimeout() or settings.FHIR_TIMEOUT_SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._socket.settimeout(min(left, self._patience))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _HttpConnection(_Looking, HTTPConnection):
    """Over TCP alone, in a private network."""


class _HttpsConnection(_Looking, HTTPSConnection):
    """Over TLS."""


def _bounded(response: requests.Response) -> bytes:
    """The body, decompressed block by block, up to FHIR_MAX_BYTES."""
    body = bytearray()
    for block in response.iter_content(_BLOCK):
        body += block
        if len(body) > settings.FHIR_MAX_BYTES:
            response.close()
            raise FhirInvalid(f"an answer of more than {settings.FHIR_MAX_BYTES} bytes", url=response.url)
    return bytes(body)
