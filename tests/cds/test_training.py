"""FHIR as a source of `manage.py train`: folders, a folder of an EHR, its server; whoever said no is not in it."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from cds import training
from cds.cohort import Design
from cds.models import AuditEntry, Ehr
from cds.opt_out import opt_out
from scoring import recipes
from scoring.cohorts import Cohort
from scoring.errors import CohortUnusable
from smartapp.demo_ehr import hooks
from smartapp.demo_ehr.cast import read_cast
from tests.cds.answered import production
from tests.cds.fhir.resources import Resource, glucose, hba1c, patient

DIABETES = recipes.get("diabetes")
PEOPLE = {"one": 6.9, "two": 5.1, "three": 7.4, "four": 5.3}  # and the HbA1c that turned out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Bulk Data of four people, each with a glucose of 2023 and an HbA1c of 2024."""
    lines: dict[str, list[Resource]] = {"Patient": [], "Observation": []}
    for number, (person, value) in enumerate(PEOPLE.items()):
        lines["Patient"].append(patient(person))
        lines["Observation"] += [
            glucose(100 + number, person=person, effectiveDateTime="2023-05-02"),
            hba1c(value, person=person, effectiveDateTime="2024-03-10"),
        ]
    for kind, resources in lines.items():
        (tmp_path / f"{kind}.ndjson").write_text("".join(f"{json.dumps(one)}\n" for one in resources))
    return tmp_path


def read(data: str | Path, source: str = "fhir") -> Cohort:
    return DIABETES.read(source, str(data))


def test_a_folder_of_bulk_data_is_a_source(folder: Path) -> None:
    found = read(folder)
    assert (len(found), int(found.label.sum())) == (4, 2)
    assert found.features == DIABETES.features


@pytest.mark.django_db
def test_patients_of_an_ehr_who_opted_out_and_test_patients_are_not_in_it(ehr: Ehr, folder: Path) -> None:
    real = production(ehr)
    assert len(read(f"{folder}@{real.name}")) == 4
    opt_out(real, "one", actor="clerk")
    real.test_patients = "two"
    real.save()
    found = read(f"{folder}@{real.name}")
    assert found.left_out == {"opted out": 1, "test patient": 1}
    entry = AuditEntry.objects.filter(action="cohort").latest("pk")
    assert (entry.ehr, entry.detail) == (real, {"rows": 2, "left_out": 2})


@pytest.mark.django_db
def test_in_a_test_ehr_everybody_is_invented(ehr: Ehr, folder: Path) -> None:
    with pytest.raises(CohortUnusable, match=r"nobody is in the cohort \(left out: 4 test patient\)"):
        read(f"{folder}@{ehr.name}")


@pytest.mark.parametrize(
    ("data", "said"), [("/no/such/folder", "does not exist"), ("{folder}@Nowhere", "no EHR is called 'Nowhere'")]
)
@pytest.mark.django_db
def test_what_is_not_there_is_one_clear_sentence(folder: Path, data: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("train", "diabetes", source="fhir", data=data.format(folder=folder))


def test_a_line_that_is_not_fhir_is_one_clear_sentence(folder: Path) -> None:
    (folder / "Condition.ndjson").write_text("{")
    with pytest.raises(CohortUnusable, match=r"^Condition\.ndjson: a line or entry is not FHIR JSON"):
        read(folder)


def test_a_file_whose_end_is_missing_is_named(folder: Path) -> None:
    (folder / "Condition.ndjson.gz").write_bytes(gzip.compress(b"{}\n")[:-4])
    with pytest.raises(CohortUnusable, match=r"^Condition\.ndjson\.gz is cut off"):
        read(folder)


def test_a_source_that_no_one_offers_names_those_that_there_are() -> None:
    with pytest.raises(CommandError, match="fhir, fhir-followed, fhir-visit, nhanes"):
        call_command("train", "diabetes", source="gossip", data="")


# --- A server ------------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_a_server_is_read_whole_and_gives_what_its_export_gives(
    hospital: Ehr, settings: Settings, tmp_path: Path
) -> None:
    settings.FHIR_TOKEN = hooks.bearer(None, "system/*.rs")
    export = tmp_path / "cast.json"
    entries = [{"resource": resource} for resource in read_cast()]
    export.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    real = production(hospital)
    today = Design(at_visit=True, followed=timedelta(0))  # of nobody in the cast does an HbA1c come later
    served, exported = (training.read(DIABETES, f"{path}@{real.name}", design=today) for path in ("", export))
    assert len(served) >= 3
    assert served.left_out == exported.left_out
    assert np.array_equal(served.rows, exported.rows, equal_nan=True)
    assert served.sha256 == exported.sha256
    assert set(served.person) == {real.pseudonym(person) for person in ("ada", "bruno", "chen")}


@pytest.mark.django_db(transaction=True)
def test_a_server_that_refuses_is_one_clear_sentence(hospital: Ehr, settings: Settings) -> None:
    settings.FHIR_TOKEN = "nobody's"
    with pytest.raises(CohortUnusable, match="GET was answered with 401"):
        read(f"@{hospital.name}")
