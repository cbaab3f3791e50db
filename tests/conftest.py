"""What the tests share: a worker, the demo hospital as a connected EHR, and a web server that answers both names."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.db import connection
from pytest_django import DjangoDbBlocker, Settings
from pytest_django.live_server_helper import LiveServer
from redis import Redis

from cds import doorbell
from cds.append_only import unguard
from cds.models import Assessment, Ehr
from cds.tasks import warm_up
from config.celery import start_embedded_worker, worker_answers
from config.demo import connect_demo_ehr
from scoring import shelf
from scoring.models import ModelVersion
from smartapp.demo_ehr.store import chart_store
from tests import orthanc as real
from tests.certificates import Authority

WORKER_SECONDS = 60  # to start and answer
SHIPPED: set[tuple[str, str]] = set()  # name and version of each model that comes with us


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Tests empty the tables between them, which the audit trail's guard forbids; tests/cds/test_append_only.py has it."""
    with django_db_blocker.unblock():
        unguard(connection)
        if connection.vendor == "postgresql":
            setattr(connection.ops, "sql_flush", _delete_all)  # noqa: B010 -- a method of theirs
        SHIPPED.update(ModelVersion.objects.values_list("name", "version"))


def _delete_all(_style: object, tables: Sequence[str], **_: bool) -> list[str]:
    """Django would TRUNCATE: new files for each table and index, which takes longer than most tests."""
    return [f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables]


@pytest.fixture(autouse=True)
def shelf_as_shipped() -> Iterator[None]:
    """A version that a test made is gone from the tables with the test; so it must be from the memory."""
    yield
    known = {(name, approved.version) for name, approved in shelf._approved.items()} | set(shelf._loaded)
    if known - SHIPPED:
        shelf.forget()


@pytest.fixture(scope="session")
def worker(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A thread on the embedded defaults; a process of its own where there is a Redis."""
    if not os.environ.get("REDIS_URL"):
        with django_db_blocker.unblock():
            warm_up()  # here and not in the thread: no test's first question waits while XGBoost is imported
            start_embedded_worker()
            yield
        return
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--pool", "threads", "--concurrency", "2"]
    process = subprocess.Popen(
        [*command, "--loglevel", "WARNING"], env={**os.environ, "DATABASE_URL": _test_database()}
    )
    try:
        assert worker_answers(WORKER_SECONDS), "the worker process did not start"
        yield
    finally:
        process.terminate()
        process.wait()


def _test_database() -> str:
    """The URL of the database that Django made for the tests."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return parts._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


def forget() -> None:
    """What earlier tests cached. In Redis only Django's keys: `clear()` would flush the queue and the heartbeat, too."""
    if not os.environ.get("REDIS_URL"):
        cache.clear()
        return
    server = Redis.from_url(os.environ["REDIS_URL"])
    for key in server.scan_iter(":1:*"):
        server.delete(key)


@pytest.fixture
def no_redis(settings: Settings) -> str:
    """Its address, at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
    backend = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
    settings.CACHES = {**settings.CACHES, "default": backend}
    return url


@pytest.fixture
def ehr(db: None, settings: Settings) -> Ehr:
    """The demo hospital, registered, every service live."""
    forget()
    chart_store().reset()
    return connect_demo_ehr()


@pytest.fixture
def site(live_server: LiveServer, worker: None, settings: Settings, transactional_db: None) -> str:
    """Our base URL at localhost; the hospital is at 127.0.0.1, so that the two are different sites to a browser."""
    port = urlsplit(live_server.url).port
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
    settings.BASE_URL = f"http://localhost:{port}"
    settings.DEMO_EHR_URL = f"http://127.0.0.1:{port}/demo-ehr"
    settings.HOOK_WAIT_SECONDS = settings.HOOK_FETCH_SECONDS = (
        10  # so that no test depends on how fast this machine is today
    )
    return str(settings.BASE_URL)


@pytest.fixture
def hospital(site: str, ehr: Ehr) -> Ehr:
    """The demo hospital at the live server's address."""
    return ehr


def finished(assessment: Assessment) -> Assessment:
    """Wait for the worker: a test must not empty the tables under its hands."""
    deadline = time.monotonic() + WORKER_SECONDS
    while assessment.status == Assessment.Status.QUEUED:
        assert time.monotonic() < deadline, "nobody finished the assessment"
        with doorbell.listening(str(assessment.id)) as bell:
            bell.wait(0.1)
        assessment.refresh_from_db()
    return assessment


# --- Real archives, each started once --------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


def _or_skip() -> None:
    """CI has it (.ci/run installs it), so that there nothing is skipped."""
    why_not = real.missing()
    if why_not and not os.environ.get("CI"):
        pytest.skip(why_not)
    assert not why_not, why_not


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[real.Orthanc]:
    _or_skip()
    with real.running(tmp_path_factory.mktemp("orthanc")) as found:
        yield found


@pytest.fixture(scope="session")
def secure_orthanc(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[real.Orthanc]:
    """Speaks TLS on its DICOM port, and wants a certificate of whoever calls."""
    _or_skip()
    folder = tmp_path_factory.mktemp("secure-orthanc")
    certificate, key = authority.issue("Orthanc")
    _write(folder, {"own.crt": certificate, "own.key": key, "trusted.crt": authority.certificate})
    more = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(folder / "own.crt"),
        "DicomTlsPrivateKey": str(folder / "own.key"),
        "DicomTlsTrustedCertificates": str(folder / "trusted.crt"),
        "DicomTlsRemoteCertificateRequired": True,
    }
    with real.running(folder, **more) as found:
        yield found


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).write_text(content)
