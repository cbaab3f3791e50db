"""The addresses of an export at the tests' own EHR, and what the whole cast comes to."""

from __future__ import annotations

from cds.models import Ehr, PopulationRun
from tests.cds.bulk.conftest import gone_on, opened

State = PopulationRun.State
THE_CAST = {
    "ada": "model-high",
    "bruno": "model-low",
    "chen": "screening-due",
    "dara": "diagnosed",
    "emil": "child",
    "farah": "prediabetes",
}
PATIENTS = "/fhir/Patient/$export"
STATUS = "/status/1"
FILE = "/files/Patient.ndjson"
LATER = {"Retry-After": "0"}


def failure(ehr: Ehr) -> str:
    run = gone_on(opened(ehr))
    assert run.state == State.FAILED
    assert "Lindqvist" not in run.error
    return run.error
