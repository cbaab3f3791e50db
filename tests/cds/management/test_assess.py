"""`manage.py assess`: one JSON object a patient, from Bundles and Bulk Data, without any server."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from cds.models import PopulationRun
from smartapp.demo_ehr.cast import read_cast
from tests.cds.population.conftest import exported, reasons

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"


def assess(*paths: Path, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, dict[str, Any]]:
    call_command("assess", *map(str, paths), stdout=StringIO(), **options)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {line["patient"]: line for line in lines}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The cast, as one Bundle."""
    file = tmp_path / "cast.json"
    entries = [{"resource": resource} for resource in read_cast()]
    file.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return file


def test_the_cast_in_a_bundle_is_answered_one_by_one(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = assess(bundle, capsys=capsys)
    assert {patient: line["rule"] for patient, line in found.items()} == {
        "ada": "model-high",
        "bruno": "model-low",
        "chen": "screening-due",
        "dara": "diagnosed",
        "emil": "child",
        "farah": "prediabetes",
    }


def test_the_second_disease_is_asked_about_by_name_and_farah_is_due_for_it(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = assess(bundle, capsys=capsys, service="hypertension-risk")
    assert {patient: line["rule"] for patient, line in found.items()} == {
        "ada": "diagnosed",
        "bruno": "recently-normal",
        "chen": "recently-normal",
        "dara": "diagnosed",
        "emil": "child",
        "farah": "model-high",
    }
    farah = found["farah"]
    assert 0.1 <= farah["probability"] < 0.2
    assert farah["missing"] == ["Blood pressure"]
    assert farah["cards"][0].startswith("Last pressure ")


def test_a_line_says_probability_factors_and_what_is_missing(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ada = assess(bundle, capsys=capsys)["ada"]
    assert 0.1 <= ada["probability"] < 1
    glucose = next(factor for factor in ada["factors"] if factor["label"] == "Glucose")
    assert (glucose["value"], glucose["unit"]) == (121, "mg/dL")
    assert "HbA1c" in ada["missing"]
    assert len(ada["cards"]) == 1


def test_gzipped_bulk_data_gives_the_same(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "bulk"
    folder.mkdir()
    for resource in read_cast():
        with gzip.open(folder / f"{resource['resourceType']}.ndjson.gz", "at") as file:
            file.write(json.dumps(resource) + "\n")
    assert assess(folder, capsys=capsys) == assess(bundle, capsys=capsys)


def test_urn_uuid_references_inside_a_bundle_find_their_patient(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    urn = "urn:uuid:6f0d0a58-6d0f-4a3e-9b0e-0f9c2b9f3c11"
    patient = {"resourceType": "Patient", "id": "p", "birthDate": "1960-01-01", "gender": "male"}
    diabetes = {
        "resourceType": "Condition",
        "id": "c",
        "subject": {"reference": urn},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "E11.9"}]},
    }
    file = tmp_path / "b.json"
    entries = [{"fullUrl": urn, "resource": patient}, {"resource": diabetes}]
    file.write_text(json.dumps({"resourceType": "Bundle", "entry": entries}))
    assert assess(file, capsys=capsys)["p"]["rule"] == "diagnosed"


def test_of_several_lines_with_one_resource_the_newest_counts_as_for_a_population(
    db: None, tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.BULK_FOLDER = tmp_path / "spool"
    folder = exported(tmp_path / "bulk", read_cast())
    taken_back = [
        {**resource, "status": "entered-in-error", "meta": {"lastUpdated": "2026-05-02T00:00:00Z"}}
        for resource in read_cast()
        if resource["resourceType"] == "Observation" and resource["subject"]["reference"] == "Patient/ada"
    ]
    older = {"resourceType": "Patient", "id": "emil", "gender": "male", "birthDate": "1950-01-01", "meta": {}}
    (folder / "A.ndjson").write_text("".join(f"{json.dumps(one)}\n" for one in (*taken_back, older)))  # is read first
    rules = {patient: line["rule"] for patient, line in assess(folder, capsys=capsys).items()}
    assert (rules["ada"], rules["emil"]) == ("not-enough", "child")
    call_command("score_population", "--source", str(folder), stdout=StringIO(), stderr=StringIO())
    assert rules == reasons(PopulationRun.objects.get())


def test_what_names_no_patient_is_nobodys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patient = {"resourceType": "Patient", "id": "p", "birthDate": "1960-01-01", "gender": "male"}
    code = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "E11.9"}]}
    file = tmp_path / "bulk.ndjson"
    stray = {"resourceType": "Condition", "id": "c", "code": code}
    file.write_text("".join(json.dumps(resource) + "\n" for resource in (patient, stray)))
    assert assess(file, capsys=capsys)["p"]["rule"] != "diagnosed"


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"', '{"resourceType": "Bundle", "entry": 7}'])
def test_what_is_not_fhir_json_is_one_clear_sentence(tmp_path: Path, content: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(content)
    with pytest.raises(CommandError, match=r"x\.json"):
        call_command("assess", str(file))


def test_a_path_that_is_not_there_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="does not exist"):
        call_command("assess", str(tmp_path / "nothing"))


@pytest.mark.skipif(not DATA.exists(), reason="../shared/data is not there")
@pytest.mark.parametrize(("folder", "patients"), [("carebundle_r4", 300), ("clinosim_r4", 177), ("synthea_bulk", 167)])
def test_nobody_in_the_synthetic_populations_breaks_it(
    folder: str, patients: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = assess(DATA / folder, capsys=capsys)
    outcomes = Counter(line["outcome"] for line in found.values())
    assert sum(outcomes.values()) == patients
    assert set(outcomes) <= {"Finding", "NotEnoughData", "NotApplicable"}
