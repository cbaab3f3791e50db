"""What "Save to chart" keeps: present disease, in a code of our own, on a basis that can be named."""

from __future__ import annotations

import msgspec
import pytest

from cds.codes import OURS
from cds.records import ObservationRecord, ReportRecord, RiskAssessmentRecord
from cds.services.diabetes.tests.charts import NOW, aged, chart, measured
from cds.services.hypertension.report import ESTIMATED
from cds.services.hypertension.service import HypertensionRisk
from scoring.shelf import Model

CONTEXT = chart(measured("bmi", 34), measured("hdl", 41), patient=aged(74))
DISEASE = {"38341003", "59621000", "I10", "85354-9", "8480-6"}  # what would assert the disease, or a measured pressure


def test_the_estimate_enters_chart_and_archive_under_codes_of_our_own(model: Model) -> None:
    service = HypertensionRisk()
    outcome = service.assess(CONTEXT, model=model, threshold=0.1)
    observation, risk, report = service.records(outcome, CONTEXT, assessment_id="a-1", at=NOW)
    assert isinstance(observation, ObservationRecord)
    assert isinstance(risk, RiskAssessmentRecord)
    assert isinstance(report, ReportRecord)
    codes = (observation.code, risk.outcome, report.outcome)
    assert all(code.system.startswith(OURS) for code in codes)
    assert not {code.code for code in codes} & DISEASE
    assert observation.value.value == round(risk.probability * 100, 1)
    assert set(risk.basis) == {fact.source for key in ("bmi", "hdl") for fact in CONTEXT.all(key)}
    assert "does not foretell" in report.limits[0]
    assert report.limits[1].startswith("Not for: children")
    assert report.algorithm.card.startswith("# hypertension-risk 1.0.0\n")


def test_a_name_that_dicom_would_cut_is_refused() -> None:
    assert ESTIMATED.name.endswith("hypertension not diagnosed")
    with pytest.raises(ValueError, match="longer than 64"):
        msgspec.structs.replace(ESTIMATED, text="Blood pressure >= 140/90 mmHg, hypertension not diagnosed")
