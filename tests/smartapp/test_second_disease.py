"""The whole line for the second service with a model, from the hook to chart, archive and statistics.

Nothing outside its folder and INSTALLED_APPS knows of it. Chen, whose chart has lost its blood pressures, is asked about.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pytest_django import Settings

from cds import outcomes, tasks
from cds.models import Assessment, Ehr
from scoring.models import DriftReport, Prediction
from smartapp.demo_ehr import hooks
from smartapp.demo_ehr.store import chart_store
from tests.cds.answered import production
from tests.smartapp.conftest import Browser
from tests.smartapp.pages import charted, text

SERVICE, PATIENT = "hypertension-risk", "chen"
PRESSURES = {"85354-9", "8480-6", "8462-4"}


def _is_pressure(resource: dict[str, Any]) -> bool:
    return any(coding.get("code") in PRESSURES for coding in resource["code"].get("coding", []))


def _lipid(code: str, value: float) -> dict[str, Any]:
    category = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [category]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "effectiveDateTime": "2026-10-01",
        "valueQuantity": {"value": value, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"},
    }


@pytest.fixture
def unmeasured(hospital: Ehr, settings: Settings, tmp_path: Path) -> Ehr:
    """Nobody has taken Chen's blood pressure; lipids are known, since without them the model abstains."""
    settings.DICOM_FOLDER = tmp_path / "archive"
    store = chart_store()
    for one in store.all("Observation"):
        if one["subject"]["reference"] == f"Patient/{PATIENT}" and _is_pressure(one):
            store.delete("Observation", one["id"])
    for code, value in (("2093-3", 212), ("2085-9", 44)):
        store.create(_lipid(code, value), author="hospital")
    return hospital


def answer() -> Assessment:
    return Assessment.objects.filter(service_id=SERVICE).latest("created_at")


def test_the_hook_answers_with_a_card_that_asks_for_a_measurement(unmeasured: Ehr) -> None:
    (card,) = hooks.call_hook(PATIENT, SERVICE).json()["cards"]
    assert re.match(r"No pressure on record\. About \d+ in 100 similar adults .* Measure it\.", card["summary"])
    order = card["suggestions"][0]["actions"][0]["resource"]
    assert order["code"]["coding"][0]["code"] == "85354-9"
    assert "category" not in order  # no laboratory does it
    assert card["source"]["url"].endswith(f"/services/{SERVICE}")


def test_both_questions_stand_on_one_page_and_this_one_is_saved_to_chart_and_archive(
    unmeasured: Ehr, browser: Browser
) -> None:
    page = browser.look(PATIENT)
    assert f'href="/services/{SERVICE}"' in page
    assert 'href="/services/diabetes-risk"' in page
    case = answer()
    (action,) = re.findall(rf'<form method="post" action="([^"]+/save/{case.id})"', page)
    form = dict(
        re.findall(r'name="(token|seen)" value="([0-9a-f]{64})"', page.partition(action)[2].partition("</form>")[0])
    )
    saved = browser.client.post(action, form)
    assert "<strong>Saved</strong>" in text(browser.client.get(saved["Location"]))
    (risk,) = charted("RiskAssessment")
    assert risk["prediction"][0]["outcome"]["coding"][0]["code"] == "bp-140-90-undiagnosed"
    assert {one["code"]["coding"][0]["code"] for one in charted("Observation")} == {"bp-140-90-p"}


def test_the_archive_gets_the_structured_report_and_its_page(
    unmeasured: Ehr, browser: Browser, settings: Settings
) -> None:
    test_both_questions_stand_on_one_page_and_this_one_is_saved_to_chart_and_archive(unmeasured, browser)
    files = [pydicom.dcmread(file) for file in Path(settings.DICOM_FOLDER).rglob("*.dcm")]
    assert {one.Modality for one in files} == {"SR", "DOC"}
    (report,) = [one for one in files if one.Modality == "SR"]
    assert "BP >= 140/90 mmHg, hypertension not diagnosed" in str(report)


def test_its_answers_are_watched(unmeasured: Ehr) -> None:
    production(unmeasured)
    hooks.call_hook(PATIENT, SERVICE)
    outcomes.collect()
    row = Prediction.objects.get(service_id=SERVICE)
    assert (row.model_name, row.row["total_cholesterol"]) == ("hypertension-risk", 212)
    tasks.watch_models()
    assert DriftReport.objects.filter(model_name="hypertension-risk").exists()
