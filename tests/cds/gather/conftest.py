"""The hospital over HTTP, and our client there."""

from __future__ import annotations

from collections.abc import Iterator
from wsgiref.simple_server import make_server

import pytest
import requests

from cds.fhir.client import FhirServer
from cds.fhir.searches import Searches
from cds.http import bounded
from tests.cds.gather.gathering import PATIENT, Hospital, bundle
from tests.serving import Quiet, serving


@pytest.fixture
def hospital() -> Iterator[Hospital]:
    app = Hospital()
    with serving(make_server("127.0.0.1", 0, app, handler_class=Quiet)) as server:
        app.base = f"http://127.0.0.1:{server.server_port}/fhir"
        app.pages = {
            "Patient/123": PATIENT,
            "Condition": bundle(),
            "MedicationRequest": bundle(),
            "Observation": {"hba1c": bundle(), "glucose": bundle()},
        }
        yield app


@pytest.fixture
def client(hospital: Hospital) -> Iterator[FhirServer]:
    with requests.Session() as session:
        limited = bounded(session, origins=(hospital.base,), private_network=True)
        yield FhirServer(hospital.base, session=limited, searches=lambda: Searches(announced=hospital.announced))
