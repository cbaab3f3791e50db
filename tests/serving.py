"""Counterparts on the network, each answering from a thread of its own for as long as a test lasts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from typing import TypeVar
from wsgiref.simple_server import WSGIRequestHandler

S = TypeVar("S", bound=BaseServer)


@contextmanager
def serving(server: S) -> Iterator[S]:
    """Its port is closed at the end. One that can wait for ever must end its waiting in `shutdown`."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Silent(BaseHTTPRequestHandler):
    """Tests are read in silence."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it so
        """Nothing."""


class Quiet(Silent, WSGIRequestHandler):
    """The same for a WSGI application."""
