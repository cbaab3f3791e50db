"""A hospital that exports the cast, registered; and where runs keep what they fetch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from cds import registry, system
from cds.models import Ehr, PopulationRun
from cds.population import open_run, sweep
from smartapp.demo_ehr.cast import read_cast
from tests.bulk_ehr import BulkEhr
from tests.conftest import forget
from tests.serving import serving

Source = PopulationRun.Source


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, settings: Settings) -> Path:
    settings.BULK_FOLDER = tmp_path / "spool"
    return tmp_path / "spool"


@pytest.fixture(autouse=True)
def _no_token_kept() -> Iterator[None]:
    system.forget()
    yield
    system.forget()


@pytest.fixture
def exporter() -> Iterator[BulkEhr]:
    forget()
    with serving(BulkEhr(read_cast())) as server:
        yield server


@pytest.fixture
def exporting(exporter: BulkEhr, db: None) -> Ehr:
    """The same, registered."""
    return Ehr.objects.create(
        name="Exporting hospital",
        environment=Ehr.Environment.TEST,
        fhir_base=f"{exporter.url}/fhir",
        system_client_id="bedside",
        private_network=True,
    )


def opened(ehr: Ehr, group: str = "", source: Source = Source.EXPORT) -> PopulationRun:
    """The diabetes service is to be asked about everybody there."""
    return open_run(registry.get("diabetes-risk"), ehr=ehr, source=source, detail=group)


def gone_on(run: PopulationRun) -> PopulationRun:
    """As far as it goes."""
    for _ in sweep(run, run.folder):
        pass
    run.refresh_from_db()
    return run


@pytest.fixture
def files(exporter: BulkEhr) -> Iterator[BulkEhr]:
    """Another server, where only files lie."""
    with serving(BulkEhr([])) as server:
        server.files = exporter.files
        yield server
