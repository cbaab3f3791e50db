"""A caller of ours at the demo hospital."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from cds.models import Ehr
from tests.smartapp.backend.outside import Outside


@pytest.fixture
def outside(ehr: Ehr, settings: Settings) -> Outside:
    settings.BASE_URL = "http://localhost"
    return Outside.registered(ehr)
