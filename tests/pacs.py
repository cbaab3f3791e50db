"""Archives that a real one cannot play: over HTTP with the answer that a test gives, over DIMSE with its status."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any

from pynetdicom import AE, DEFAULT_TRANSFER_SYNTAXES, evt

from tests.serving import Silent

JSON = "application/dicom+json"


class WebArchive(ThreadingHTTPServer):
    """Answers every request with `status`, `kind` and `body`; `silent`: never."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.kind, self.body = 200, JSON, b"{}"
        self.headers: dict[str, str] = {}
        self.silent = False
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/dicom-web"

    def hear(self, content: bytes) -> None:
        """What was sent to be stored."""

    def shutdown(self) -> None:
        self.closing.set()
        super().shutdown()


class _Handler(Silent):
    server: WebArchive

    def do_POST(self) -> None:
        self.server.hear(self.rfile.read(int(self.headers["Content-Length"])))
        self.do_GET()

    def do_GET(self) -> None:
        if self.server.silent:
            self.server.closing.wait()
            return
        self.send_response(self.server.status)
        self.send_header("Content-Type", self.server.kind)
        self.send_header("Content-Length", str(len(self.server.body)))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)


@contextmanager
def dimse_archive(
    sop_classes: list[Any], *, store: Callable[[evt.Event], int], transfer_syntax: Any = None
) -> Iterator[int]:
    """The port of an archive that takes these SOP classes and answers a C-STORE as `store` says."""
    entity = AE(ae_title="PACS")
    entity.require_called_aet = True
    for sop_class in sop_classes:
        entity.add_supported_context(sop_class, transfer_syntax or DEFAULT_TRANSFER_SYNTAXES)
    handlers: list[Any] = [(evt.EVT_C_STORE, store), (evt.EVT_C_ECHO, lambda _: 0)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
