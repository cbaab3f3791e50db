"""A server that nobody here knows: it answers with the pages that a test gives it, and remembers what it was asked."""

from __future__ import annotations

import threading
from http.server import ThreadingHTTPServer

from tests.serving import Silent


class Stranger(ThreadingHTTPServer):
    """`pages` by path; one that is None or missing is a 404, unless `statuses` says otherwise.

    `silent`: connects and never answers.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, bytes | None] = {}
        self.statuses: dict[str, int] = {}
        self.asked: list[str] = []
        self.silent = False
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def shutdown(self) -> None:
        self.closing.set()
        super().shutdown()


class _Handler(Silent):
    server: Stranger

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.server.silent:
            self.server.closing.wait()
            return
        content = self.server.pages.get(self.path)
        self.send_response(self.server.statuses.get(self.path, 404 if content is None else 200))
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")
