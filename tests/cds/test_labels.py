"""Whose data: entries with a security label are dropped, and nobody learns which; a merged record is not answered for."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from django.core.exceptions import ValidationError

from cds import analytes
from cds.codes import ICD10CM, LOINC
from cds.context import PatientContext
from cds.errors import MergedPatient, MissingData, ProtectedData
from cds.gather import gather
from cds.models import Ehr
from cds.needs import Need
from cds.service import DecisionService

NOW = datetime(2026, 3, 31, 16, 30, tzinfo=ZoneInfo("Pacific/Auckland"))
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ALL_LABELS = [(CONFIDENTIALITY, "R"), (CONFIDENTIALITY, "V"), (ACT_CODE, "PSY"), (ACT_CODE, "ETH"), (ACT_CODE, "HIV")]


class Question(DecisionService):
    """Needs the diagnoses; would like the drugs."""

    id = "question"
    needs = (
        Need.patient(),
        Need.resources("conditions", "Condition", required=True),
        Need.observations("hba1c", analytes.HBA1C, category="laboratory", required=True),
        Need.resources("medications", "MedicationRequest"),
    )


def labelled(resource: dict[str, Any], *labels: tuple[str, str]) -> dict[str, Any]:
    return {**resource, "meta": {"security": [{"system": system, "code": code} for system, code in labels]}}


def entry(kind: str, identifier: str, text: str) -> dict[str, Any]:
    concept = {"coding": [{"system": ICD10CM, "code": "X00"}], "text": text}
    name = "medicationCodeableConcept" if kind == "MedicationRequest" else "code"
    return {"resourceType": kind, "id": identifier, "subject": {"reference": "Patient/123"}, name: concept}


def ask(*resources: dict[str, Any], patient: dict[str, Any] | None = None, labels_read: str = "") -> PatientContext:
    person = {"resourceType": "Patient", "id": "123", "birthDate": "1970-01-01", **(patient or {})}
    kinds = {"conditions": "Condition", "hba1c": "Observation", "medications": "MedicationRequest"}
    answers: dict[str, Any] = {
        key: {
            "resourceType": "Bundle",
            "entry": [{"resource": one} for one in resources if one["resourceType"] == kind],
        }
        for key, kind in kinds.items()
    }
    prefetch = {key: msgspec.Raw(msgspec.json.encode(answer)) for key, answer in {**answers, "patient": person}.items()}
    return gather(Question(), patient_id="123", now=NOW, prefetch=prefetch, labels_read=labels_read)


DRUG = entry("MedicationRequest", "secret-drug", "Tenofovir")


@pytest.mark.parametrize("label", ALL_LABELS)
def test_an_entry_with_a_label_is_not_used(label: tuple[str, str]) -> None:
    assert ask(labelled(DRUG, label)).drugs == ()


@pytest.mark.parametrize("label", [(CONFIDENTIALITY, "N"), ("http://example.org/labels", "R"), (ACT_CODE, "R")])
def test_another_label_or_one_of_another_system_keeps_nothing_out(label: tuple[str, str]) -> None:
    assert [drug.text for drug in ask(labelled(DRUG, label)).drugs] == ["Tenofovir"]


def test_the_names_that_stu3_gave_the_systems_count_too() -> None:
    assert ask(labelled(DRUG, ("http://hl7.org/fhir/v3/ActCode", "HIV"))).drugs == ()


def test_that_something_was_withheld_is_said_and_not_what() -> None:
    context = ask(labelled(DRUG, (ACT_CODE, "HIV")), labelled(DRUG, (ACT_CODE, "PSY")))
    (issue,) = context.issues
    assert (issue.need, issue.source) == ("record", "")
    said = context.as_json().decode()
    assert not [word for word in ("secret-drug", "Tenofovir", "HIV", "PSY", "medications") if word in said]


def test_where_a_required_entry_was_withheld_there_is_no_answer_and_not_a_none_on_record() -> None:
    with pytest.raises(ProtectedData) as refused:
        ask(labelled(entry("Condition", "c", "Schizophrenia"), (ACT_CODE, "PSY")))
    assert isinstance(refused.value, MissingData)
    assert refused.value.status == 412
    assert "conditions" not in str(refused.value)


def test_a_withheld_measurement_that_is_required_is_not_taken_for_never_measured() -> None:
    hba1c = {"resourceType": "Observation", "id": "o", "code": {"coding": [{"system": LOINC, "code": "4548-4"}]}}
    with pytest.raises(ProtectedData):
        ask(labelled(hba1c, (CONFIDENTIALITY, "R")))


def test_labels_that_the_hospital_allows_are_read_and_the_others_still_not() -> None:
    psychiatric = labelled(entry("Condition", "c", "Depression"), (ACT_CODE, "PSY"))
    context = ask(psychiatric, labelled(DRUG, (ACT_CODE, "HIV")), labels_read="PSY, R")
    assert [diagnosis.text for diagnosis in context.diagnoses] == ["Depression"]
    assert context.drugs == ()


def test_a_misspelt_label_is_refused() -> None:
    with pytest.raises(ValidationError):
        Ehr(labels_read="PSY, PYS").clean_fields(exclude={"name"})


@pytest.mark.parametrize("label", [(CONFIDENTIALITY, "R"), (CONFIDENTIALITY, "V"), (ACT_CODE, "CEL")])
def test_a_label_on_the_patient_restricts_the_whole_chart(label: tuple[str, str]) -> None:
    assert ask(patient=labelled({}, label)).patient.restricted


def test_a_patient_with_a_normal_label_is_not_restricted() -> None:
    assert not ask(patient=labelled({}, (CONFIDENTIALITY, "N"))).patient.restricted


def test_a_record_that_was_merged_into_another_is_refused() -> None:
    with pytest.raises(MergedPatient) as refused:
        ask(patient={"link": [{"type": "replaced-by", "other": {"reference": "Patient/456"}}]})
    assert refused.value.status == 409
    assert "456" not in str(refused.value)


def test_a_record_that_took_another_one_in_is_answered() -> None:
    assert ask(patient={"link": [{"type": "replaces", "other": {"reference": "Patient/456"}}]}).patient.id == "123"
