"""The page of a renewal: what came of it in words, and the contenders side by side."""

from __future__ import annotations

import pytest
from django.urls import reverse

from config import overview
from scoring.models import ModelVersion, TrainingRun
from tests.cds.admin.test_feedback import signed_in

FIGURE = {"value": 0.9, "low": 0.85, "high": 0.95}
REPORT = {"known": 900, "events": 300, "asked": 4000, "needed": 100, "held_out": {"people": 270, "events": 90}}


def shown(run: TrainingRun) -> str:
    answer = signed_in("Ada", "auditor").get(reverse("admin:scoring_trainingrun_change", args=[run.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.django_db
def test_a_candidate_stands_beside_the_model_in_use_and_waits_on_the_first_page() -> None:
    draft = ModelVersion.objects.create(
        name="diabetes-risk", version="1.0.0+local.1", sha256="0", artefact=b"", facts={"features": []}
    )
    figures = {name: dict.fromkeys(("auroc", "observed_expected", "gain"), FIGURE) for name in ("live", "recalibrated")}
    report = {**REPORT, "best": "recalibrated", "figures": figures}
    run = TrainingRun.objects.create(
        model_name="diabetes-risk", live_version="1.0.0", status="candidate", candidate=draft, report=report
    )
    text = shown(run)
    assert "In use" in text
    assert "Recalibrated, the best" in text
    assert "until two people agree" in text
    assert reverse("admin:scoring_modelversion_change", args=[draft.pk]) in text
    drafts = next(one for one in overview.waiting() if one.what.startswith("Drafts of models"))
    assert drafts.count == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "said"), [("too-few", "at least 100 cases"), ("unavailable", "install the extra `train`")]
)
def test_why_there_is_no_candidate_is_said(status: str, said: str) -> None:
    run = TrainingRun.objects.create(model_name="diabetes-risk", live_version="1", status=status, report=REPORT)
    assert said in shown(run)
