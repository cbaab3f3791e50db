"""Everything that a run needs, set up and taken down: database, Redis, EHR, web server, workers, peer."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
from django.core.management import call_command

from bench.ehr import CallingEhr, calling_ehr
from bench.environments import orjson_folder, peer_python
from bench.places import own_database, own_redis
from bench.processes import Server, free_port, running, wait_for_http

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "var" / "bench"
MODEL = ROOT / "cds" / "services" / "diabetes" / "model" / "diabetes-risk.ubj"
WEB_PROCESSES, WEB_THREADS = 2, 4


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where requests go: a port, and the processes that serve it."""

    port: int
    servers: tuple[Server, ...]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self) -> float:
        return sum(server.cpu_seconds() for server in self.servers)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """All of it, running."""

    ehr: CallingEhr
    ours: Place
    workers: tuple[Server, ...]
    peer: Place
    peer_static: Place
    environment: dict[str, str]
    orjson: Path


@dataclass(frozen=True, kw_only=True)
class Workers:
    """`processes` Celery workers of `threads` each."""

    processes: int = 2
    threads: int = 1

    @classmethod
    def parse(cls, text: str) -> Workers:
        """As "2x1": two processes of one thread."""
        processes, _, threads = text.partition("x")
        return cls(processes=int(processes), threads=int(threads))

    def __str__(self) -> str:
        pool = f"pool threads of {self.threads}"
        return f"{self.processes} Celery process(es), {pool}"

    def command(self, number: int) -> list[str]:
        pool = ["--pool", "threads", "--concurrency", str(self.threads)]
        return [sys.executable, "-m", "celery", "-A", "config", "worker", "-n", f"bench{number}@%h", *pool]


@contextmanager
def stage(workers: Workers) -> Iterator[Stage]:
    """Set up in the order in which the parts need each other."""
    with ExitStack() as stack:
        python = peer_python(HOME)
        database, queue = stack.enter_context(own_database()), stack.enter_context(own_redis())
        ehr = stack.enter_context(calling_ehr())
        port = free_port()
        environment = _environment(port, database, queue)
        stack.callback(_back_to, dict(os.environ))  # what is measured next makes a database of its own
        os.environ.update(environment)
        django.setup()
        call_command("migrate", verbosity=0)
        ehr.register()
        queue_servers = tuple(_worker(stack, workers, number, environment) for number in range(workers.processes))
        yield Stage(
            ehr=ehr,
            ours=_ours(stack, port, environment),
            workers=queue_servers,
            peer=_peer(stack, python, "scoring"),
            peer_static=_peer(stack, python, "static"),
            environment=environment,
            orjson=orjson_folder(HOME, python),
        )


def _back_to(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _environment(port: int, database: str, queue: str) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bench.settings",
        "BEDSIDE_HOME": str(HOME / "home"),
        "BASE_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": database,
        "REDIS_URL": queue,
        "DEMO_EHR": "0",
        "OMP_NUM_THREADS": "1",
        "LOG_LEVEL": "WARNING",
    }


def _ours(stack: ExitStack, port: int, environment: dict[str, str]) -> Place:
    command = [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", str(WEB_PROCESSES), "--blocking-threads", str(WEB_THREADS), "config.wsgi:application"),
    ]
    server = stack.enter_context(running("web", command, environment=environment, logs=HOME / "logs", folder=ROOT))
    place = Place(port=port, servers=(server,))
    wait_for_http(server, f"{place.url}/cds-services")
    return place


def _worker(stack: ExitStack, workers: Workers, number: int, environment: dict[str, str]) -> Server:
    """The first scored request of the rounds' warm-up waits for it: until then the product answers "pending"."""
    command = workers.command(number)
    return stack.enter_context(
        running(f"worker{number}", command, environment=environment, logs=HOME / "logs", folder=ROOT)
    )


def _peer(stack: ExitStack, python: Path, application: str) -> Place:
    port = free_port()
    command = [
        *(str(python), "-m", "uvicorn", f"peer:{application}", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", str(WEB_PROCESSES), "--log-level", "warning", "--no-access-log"),
        *("--loop", "uvloop", "--http", "httptools"),
    ]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {"PATH": os.environ["PATH"], "BENCH_MODEL": str(MODEL), **threads}
    name = f"peer-{application}"
    server = stack.enter_context(
        running(name, command, environment=environment, logs=HOME / "logs", folder=ROOT / "bench")
    )
    place = Place(port=port, servers=(server,))
    wait_for_http(server, f"{place.url}/cds/cds-discovery")
    return place
