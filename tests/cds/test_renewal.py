"""The monthly job looks at every model in use and says what came of it."""

from __future__ import annotations

import pytest

from cds import tasks
from cds.models import Ehr
from scoring import shelf
from scoring.models import ModelVersion, TrainingRun
from tests.cds.answered import production
from tests.cds.test_watch import asked


def test_a_hospital_with_few_outcomes_gets_a_run_that_says_so(ehr: Ehr, caplog: pytest.LogCaptureFixture) -> None:
    real = production(ehr)
    asked(real, "a", label=True)
    asked(real, "b")
    tasks.renew_models()
    run = TrainingRun.objects.get(model_name="diabetes-risk")
    assert (run.model_name, run.status, run.candidate) == ("diabetes-risk", "too-few", None)
    assert (run.report["known"], run.report["asked"]) == (1, 2)
    assert ModelVersion.objects.filter(status="draft").count() == 0


def test_without_a_model_in_use_there_is_nothing_to_renew(ehr: Ehr, caplog: pytest.LogCaptureFixture) -> None:
    ModelVersion.objects.all().delete()
    shelf.forget()
    tasks.renew_models()
    assert not TrainingRun.objects.exists()
    assert "nothing to renew" in caplog.text
    shelf.forget()
