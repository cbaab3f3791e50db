"""A process that is killed in the middle of an ordered write: the next one finishes, and nothing is there twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from cds.models import WriteBack
from tests.cds.writeback.conftest import DOCTOR, Ada
from tests.environments import environment
from tests.strange_ehr import Fault

ROOT = Path(__file__).resolve().parents[3]
WHOLE = {"Device": 1, "DocumentReference": 1, "Observation": 1, "Provenance": 1, "RiskAssessment": 1}


@pytest.mark.parametrize("step", ["Observation", "RiskAssessment", "Provenance"])
@pytest.mark.parametrize("status", [0, 503], ids=["written", "not written"])
def test_the_next_one_finishes_and_nothing_is_there_twice(ada: Ada, step: str, status: int) -> None:
    """Killed when the EHR has the request: it writes it (or not), and nobody is there to hear so."""
    ada.server.atomic, assessment = False, ada.assessed()
    command = [sys.executable, "-m", "tests.cds.writeback.saving", str(assessment.pk), f"{ada.ehr.fhir_base}/{DOCTOR}"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment())  # django takes longer to start than the next line
    ada.server.faults.append(Fault(path=step, status=status, times=1, first=process.kill))
    assert process.wait(120) == -signal.SIGKILL
    row = WriteBack.objects.get(assessment=assessment, target="chart")
    assert (row.status, bool(row.steps)) == (WriteBack.Status.QUEUED, True)
    WriteBack.objects.update(held_until=timezone.now() - timedelta(seconds=1))  # a minute later it is taken for dead
    assert ada.press(assessment).status == WriteBack.Status.SENT
    assert ada.server.written() == WHOLE
    assert ada.server.posted().count(step) == (1 if status == 0 else 2)
