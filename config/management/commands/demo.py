"""`manage.py demo`: the whole product with a demo hospital; `--check` plays the main job once and tells how it went."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from cds.errors import FhirError
from cds.models import Ehr
from config.demo import connect_demo_ehr, hear_of_results

START_SECONDS = 60


class Command(BaseCommand):
    """One process on the embedded defaults; with REDIS_URL set, a worker process beside it."""

    help = "Start web, worker and the demo hospital, and print one URL."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="play the main job once over HTTP and exit")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"] and "DEMO_CHECK" not in os.environ:
            self._check_apart()
        if not settings.DEMO_EHR:  # apps and URLs are chosen at the start, so start again with it on
            os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "DEMO_EHR": "1"})  # noqa: S606
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        call_command("migrate", verbosity=0)
        ehr = connect_demo_ehr()
        if options["check"]:
            self._check()
        else:
            self._serve(ehr)

    def _check_apart(self) -> NoReturn:
        """On a port and in a folder of its own, so that it disturbs nothing that runs here."""
        with socket.socket() as free, tempfile.TemporaryDirectory() as home:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
            free.close()
            apart = {"DEMO_EHR": "1", "DEMO_CHECK": "1", "BASE_URL": f"http://localhost:{port}", "BEDSIDE_HOME": home}
            apart |= {"HOOK_WAIT": "10"}  # it checks that the line is whole, not how fast this machine is
            sys.exit(subprocess.run([sys.executable, *sys.argv], env={**os.environ, **apart}, check=False).returncode)

    def _serve(self, ehr: Ehr) -> None:
        from granian import Granian
        from granian.constants import Interfaces
        from granian.log import LogLevels

        port = free_port(settings.BASE_URL)
        threading.Thread(target=self._announce, args=(ehr,), daemon=True).start()
        server = Granian(
            "config.wsgi:application",
            address="127.0.0.1",
            port=port,
            interface=Interfaces.WSGI,
            blocking_threads=8,
            log_level=LogLevels.warning,
        )
        with self._worker():
            server.serve()

    def _announce(self, ehr: Ehr) -> None:
        """One URL, as soon as it answers; and the hospital is asked to tell of new results."""
        deadline = time.monotonic() + START_SECONDS
        ready = threading.Event()
        while time.monotonic() < deadline and not ready.wait(0.2):
            try:
                requests.get(f"{settings.BASE_URL}/cds-services", timeout=5).raise_for_status()
            except requests.RequestException:
                continue
            self.stdout.write(f"\n  Open {settings.DEMO_EHR_URL}/ and choose a patient. Stop with Ctrl-C.\n")
            self.stdout.flush()
            self._listen(ehr)
            return

    def _listen(self, ehr: Ehr) -> None:
        try:
            hear_of_results(ehr)
        except FhirError as error:
            self.stderr.write(f"  The demo hospital could not be asked to tell of new results: {error}")

    def _check(self) -> None:
        from config.main_job import play

        logging.disable(logging.WARNING)
        with self._worker():
            failed = play(say=self._say)
        if failed:
            raise CommandError(f"failed at: {failed}")

    @contextmanager
    def _worker(self) -> Iterator[None]:
        """A process beside us where there is a Redis; embedded, the web process brings its own thread."""
        if settings.EMBEDDED:
            yield
            return
        worker = subprocess.Popen(WORKER)
        try:
            yield
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def free_port(base_url: str) -> int:
    """Where we are to listen. Raises CommandError if it is taken: two demos would share it, each with data of its own."""
    try:
        parts = urlsplit(base_url)
        port = parts.port or 80
    except ValueError as error:
        raise CommandError(f"BASE_URL: {error}.") from error
    if not (parts.scheme and parts.hostname):
        raise CommandError("BASE_URL takes an address such as http://localhost:8000.")
    with socket.socket() as there:
        there.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what has just ended is no hindrance
        try:
            there.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"Port {port} cannot be used ({error.strerror}). Another demo? Stop it, or name another BASE_URL."
            ) from error
    return port


WORKER = [sys.executable, "-m", "celery", "-A", "config", "worker", "--pool", "threads", "--concurrency", "2"]
