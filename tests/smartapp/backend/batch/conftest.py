"""A caller that may have batches scored, and a folder for what it sends."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from cds.models import Ehr
from smartapp.backend.scopes import PREDICT, READ_RESULTS, SCORE_BATCH
from tests.smartapp.backend.batch.asking import Asking
from tests.smartapp.backend.outside import Outside


@pytest.fixture
def spool(tmp_path: Path, settings: Settings) -> Path:
    settings.BULK_FOLDER = tmp_path / "spool"
    return tmp_path / "spool"


@pytest.fixture
def asking(outside: Outside, spool: Path) -> Asking:
    """Where nobody works on what is begun: a test asks for the work when it wants it done."""
    return allowed(outside)


@pytest.fixture
def served(worker: None, outside: Outside) -> Asking:
    """Where a worker is there; it looks into the folder that the settings name."""
    return allowed(outside)


def allowed(outside: Outside) -> Asking:
    outside.row.scopes = f"{PREDICT} {SCORE_BATCH} {READ_RESULTS}"
    outside.row.save()
    return Asking(outside)


@pytest.fixture
def other(ehr: Ehr, asking: Asking) -> Asking:
    return Asking(Outside.registered(ehr, "Another", scopes=SCORE_BATCH))
