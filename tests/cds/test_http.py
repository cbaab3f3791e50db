"""The one way out: where it goes, how long it waits, how much it takes; against real servers on the loopback."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import socketserver
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest
import requests
from pytest_django import Settings

from cds.errors import FhirError, FhirInvalid, FhirUnreachable
from cds.http import allowed_addresses, bounded, origin
from tests.serving import serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
Script = Callable[["Server", socket.socket], None]


class Server(socketserver.ThreadingTCPServer):
    """Reads a request, then does to the socket what its script says."""

    daemon_threads = True

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.over, self.heard = script, threading.Event(), list[bytes]()

    def shutdown(self) -> None:
        self.over.set()
        super().shutdown()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/fhir/Patient/1"


class Handler(socketserver.BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        self.server.heard.append(self.request.recv(65_536))
        with suppress(OSError):  # the client hangs up; that is what most of these tests are about
            self.server.script(self.server, self.request)


Serve = Callable[[Script | bytes], Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as running:

        def start(script: Script | bytes) -> Server:
            said = (lambda _, peer: peer.sendall(script)) if isinstance(script, bytes) else script
            return running.enter_context(serving(Server(said)))

        yield start


def get(url: str, *, origins: tuple[str, ...] | None = None, private_network: bool = True) -> requests.Response:
    with bounded(requests.Session(), origins=origins or (url,), private_network=private_network) as session:
        return session.get(url, allow_redirects=False)


def named(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """A name server that gives these answers in turn, the last one for ever; what it was asked."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, port: int | None, *names: int, **options: int) -> list[object]:
        if not host.endswith(".example"):
            return list(real(host, port, *names, **options))
        answer = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port or 0)) for address in answer]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


# --- Where it goes
def test_a_registered_origin_is_reached(serve: Serve) -> None:
    assert get(serve(OK).url).text == "OK"


def test_the_host_header_keeps_the_name(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(OK)
    named(monkeypatch, ["127.0.0.1"])
    get(f"http://ehr.example:{server.port}/fhir")
    assert f"Host: ehr.example:{server.port}".encode() in server.heard[0]


def test_an_origin_that_is_not_registered_is_not_asked(serve: Serve) -> None:
    server = serve(OK)
    with pytest.raises(FhirError, match="not registered"):
        get(server.url, origins=("https://ehr.example/fhir",))
    assert server.heard == []


@pytest.mark.parametrize(
    "trick",
    [
        "http://ehr.example@127.0.0.1:{port}/",
        "http://ehr.example:443@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}\\@ehr.example/",
        "http://127.0.0.1:{port}#@ehr.example/",
        "http://127.0.0.1:{port}?.ehr.example/",
        "http://ehr.example.127.0.0.1.nip.example:{port}/",
    ],
)
def test_a_url_that_only_looks_registered_is_not_asked(serve: Serve, trick: str) -> None:
    server = serve(OK)
    with pytest.raises((FhirError, requests.exceptions.InvalidURL)):
        get(trick.format(port=server.port), origins=("http://ehr.example/fhir",))
    assert server.heard == []


def test_a_user_name_in_a_url_is_refused_and_not_repeated(serve: Serve) -> None:
    server = serve(OK)
    with pytest.raises(FhirError) as refusal:
        get(f"http://somebody:secret@127.0.0.1:{server.port}/")
    assert "secret" not in f"{refusal.value} {refusal.value.url}"
    assert server.heard == []


@pytest.mark.parametrize("url", ["http://[::1", "http://ehr.example:99999/"])
def test_what_is_no_url_has_no_origin(url: str) -> None:
    with pytest.raises(FhirError):
        origin(url)


def test_a_loopback_address_is_only_for_a_private_network(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, ["127.0.0.1"])
    with pytest.raises(FhirError, match="private network"):
        get("https://ehr.example/fhir", private_network=False)


def test_plain_http_is_only_for_a_private_network() -> None:
    with pytest.raises(FhirError, match="not https"):
        get("http://ehr.example/fhir", private_network=False)


@pytest.mark.parametrize(
    "address",
    "10.0.0.5 172.16.0.1 192.168.1.1 127.0.0.1 100.64.0.1 ::1 fd12::1 ::ffff:10.0.0.5 64:ff9b::a00:5 2002:a00:5::1 "
    "198.18.0.1 192.0.2.1".split(),
)
def test_a_private_address_is_refused_unless_the_row_allows_it(address: str) -> None:
    with pytest.raises(FhirError, match="private network"):
        allowed_addresses(address, private_network=False)
    assert allowed_addresses(address, private_network=True) == [ipaddress.ip_address(address)]


@pytest.mark.parametrize(
    "address",
    "169.254.169.254 ::ffff:169.254.169.254 fd00:ec2::254 100.100.100.200 169.254.1.1 fe80::1 0.0.0.0 :: 224.0.0.1 "
    "ff02::1 64:ff9b::a9fe:a9fe".split(),
)
def test_metadata_and_link_local_addresses_are_refused_even_in_a_private_network(address: str) -> None:
    with pytest.raises(FhirError, match="where no EHR is"):
        allowed_addresses(address, private_network=True)


@pytest.mark.parametrize("spelling", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1"])
def test_other_spellings_of_the_loopback_are_seen_through(spelling: str) -> None:
    with pytest.raises((FhirError, FhirUnreachable)):
        allowed_addresses(spelling, private_network=False)


def test_one_private_address_condemns_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, ["1.1.1.1", "10.0.0.5"])
    with pytest.raises(FhirError, match="private network"):
        allowed_addresses("ehr.example", private_network=False)


def test_the_address_that_was_checked_is_the_one_connected_to(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: a second look-up would be told another address, so there must be none."""
    server = serve(OK)
    asked = named(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    assert get(f"http://ehr.example:{server.port}/fhir").text == "OK"
    assert asked == ["ehr.example"]


def test_a_name_whose_answer_turns_bad_is_not_connected_to(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(OK)
    named(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    url = f"http://ehr.example:{server.port}/fhir"
    get(url)
    with pytest.raises(FhirError, match="where no EHR is"):
        get(url)
    assert len(server.heard) == 1


def test_the_next_address_is_tried_when_one_refuses(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(OK)
    named(monkeypatch, ["127.9.9.9", "127.0.0.1"])
    assert get(f"http://ehr.example:{server.port}/fhir").text == "OK"


def test_nobody_listening_is_unreachable(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(FhirUnreachable):
        get(f"http://127.0.0.1:{port}/")


def test_proxies_of_the_environment_are_ignored(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = serve(OK), serve(OK)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    get(server.url)
    assert proxy.heard == []


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    elsewhere = serve(OK)
    here = serve(f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n".encode())
    with pytest.raises(FhirInvalid, match="redirect"):
        get(here.url)
    assert elsewhere.heard == []


def test_a_server_that_does_not_speak_tls_gets_no_request(serve: Serve) -> None:
    server = serve(OK)
    with pytest.raises(FhirUnreachable):
        get(f"https://127.0.0.1:{server.port}/")
    assert b"GET" not in server.heard[0]


# --- How long it waits
def drip(*, after: bytes) -> Script:
    """One byte every 50 ms: no single wait is long, the whole has no end."""

    def script(server: Server, peer: socket.socket) -> None:
        peer.sendall(after)
        while not server.over.wait(0.05):
            peer.sendall(b"a")

    return script


@pytest.mark.parametrize(
    "after",
    [b"", b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"],
    ids=["status line", "header", "body"],
)
def test_a_server_that_drips_is_left(serve: Serve, settings: Settings, after: bytes) -> None:
    settings.FHIR_ANSWER_SECONDS = 0.5
    started = time.monotonic()
    with pytest.raises(FhirUnreachable):
        get(serve(drip(after=after)).url)
    assert time.monotonic() - started < 5


def test_what_has_its_time_used_up_asks_nothing_more(serve: Serve) -> None:
    """However generous the limits of a single request are."""
    server = serve(OK)
    dripping = serve(drip(after=b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"))
    origins = (server.url, dripping.url)
    with bounded(requests.Session(), origins=origins, private_network=True, seconds=0.5) as session:
        with pytest.raises(FhirUnreachable):
            session.get(dripping.url)
        with pytest.raises(FhirUnreachable, match="used up"):
            session.get(server.url)
    assert server.heard == []


def test_a_server_that_says_nothing_is_left(serve: Serve, settings: Settings) -> None:
    settings.FHIR_TIMEOUT_SECONDS = 0.2

    def keep_quiet(server: Server, _: socket.socket) -> None:
        server.over.wait()

    with pytest.raises(FhirUnreachable):
        get(serve(keep_quiet).url)


def test_a_server_that_hangs_up_in_the_middle_is_unreachable(serve: Serve) -> None:
    with pytest.raises(FhirUnreachable):
        get(serve(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").url)


# --- How much it takes
def test_a_body_without_end_is_left(serve: Serve, settings: Settings) -> None:
    settings.FHIR_MAX_BYTES = 1_000_000

    def pour(server: Server, peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not server.over.is_set():
            peer.sendall(b"a" * 65_536)

    with pytest.raises(FhirInvalid, match="more than 1000000 bytes"):
        get(serve(pour).url)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gzip_bomb_is_defused_before_it_fills_the_memory(serve: Serve, settings: Settings, layers: int) -> None:
    settings.FHIR_MAX_BYTES = 1_000_000
    bomb = b"0" * 100_000_000
    for _ in range(layers):
        bomb = gzip.compress(bomb, 6)
    encoding = ", ".join(["gzip"] * layers)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    server = serve(head + bomb)
    tracemalloc.start()
    with pytest.raises(FhirInvalid, match="more than"):
        get(server.url)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_what_only_claims_to_be_gzip_is_unreachable_and_no_crash(serve: Serve) -> None:
    with pytest.raises(FhirUnreachable):
        get(serve(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope").url)
