"""FHIR resources to who it is and what is said of them: diagnoses, drugs, encounters, answers in codes, imaging."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cds.codes import DCM, ICD10CM, LOINC, PREGNANCY_STATUS, RXNORM, SNOMED, Code
from cds.facts import Diagnosis, Drug, Imaging
from cds.needs import Need
from tests.cds.fhir.reading import (
    CONDITIONS,
    ENCOUNTERS,
    IMAGING,
    MEDICATIONS,
    concept,
    observation,
    read,
    reader,
    statement,
)


# --- Patient
def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "123", "gender": "female", "birthDate": "1970-05-06", **more}


def test_the_person_is_read() -> None:
    found = reader().read(Need.patient(), msgspec.json.encode(patient())).person
    assert found is not None
    assert (found.id, found.sex, found.deceased) == ("123", "female", False)
    assert found.birth_date is not None


@pytest.mark.parametrize("gender", ["unknown", None, "", "F", "nonsense"])
def test_an_unknown_gender_is_unknown(gender: str | None) -> None:
    found = reader().read(Need.patient(), msgspec.json.encode(patient(gender=gender))).person
    assert found is not None
    assert found.sex == "unknown"


@pytest.mark.parametrize("death", [{"deceasedBoolean": True}, {"deceasedDateTime": "2024"}])
def test_a_death_is_read_in_both_forms(death: dict[str, Any]) -> None:
    found = reader().read(Need.patient(), msgspec.json.encode(patient(**death))).person
    assert found is not None
    assert found.deceased


def test_race_is_read_from_the_us_core_extension() -> None:
    inner = {"url": "ombCategory", "valueCoding": {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2028-9"}}
    race = {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race", "extension": [inner]}
    found = reader().read(Need.patient(), msgspec.json.encode(patient(extension=[race]))).person
    assert found is not None
    assert found.race_codes == ("2028-9",)


# --- Statements
def test_a_condition_keeps_codes_text_status_and_dates() -> None:
    (fact,) = read(
        CONDITIONS,
        statement(
            "Condition",
            code=concept("E11.9", ICD10CM, text="Type 2 diabetes"),
            clinicalStatus=concept("resolved", "http://terminology.hl7.org/CodeSystem/condition-clinical"),
            onsetDateTime="2015",
            abatementDateTime="2020-02",
        ),
    ).coded
    assert isinstance(fact, Diagnosis)
    assert fact.codes == {Code(ICD10CM, "E11.9")}
    assert (fact.text, fact.status, fact.certain) == ("Type 2 diabetes", "resolved", True)
    assert (fact.start and fact.start.text, fact.end and fact.end.text) == ("2015", "2020-02")


@pytest.mark.parametrize(
    ("verification", "kept", "certain"),
    [
        *((None, True, True), ("confirmed", True, True), ("provisional", True, False), ("differential", True, False)),
        *(("unconfirmed", True, False), ("refuted", False, False), ("entered-in-error", False, False)),
    ],
)
@pytest.mark.parametrize("stu3", [True, False])
def test_how_sure_a_condition_is(verification: str | None, kept: bool, certain: bool, stu3: bool) -> None:
    shape: Any = verification if stu3 or verification is None else concept(verification, "x")
    found = read(CONDITIONS, statement("Condition", code=concept("44054006", SNOMED), verificationStatus=shape)).coded
    assert [fact.certain for fact in found] == ([certain] if kept else [])


def test_another_patients_condition_is_said_and_not_used() -> None:
    found = read(CONDITIONS, statement("Condition", subject={"reference": "Patient/9"}, code=concept("1", SNOMED)))
    assert found.coded == []
    assert "another patient" in found.issues[0].reason


def test_an_included_resource_of_another_type_is_left_alone() -> None:
    drug = statement("MedicationRequest", medicationCodeableConcept=concept("6809", RXNORM))
    found = read(MEDICATIONS, drug, {"resourceType": "Practitioner", "id": "p"})
    assert (len(found.coded), found.issues) == (1, [])


@pytest.mark.parametrize("sent", [{"resourceType": "Practitioner", "id": "p"}, {"resourceType": "Parameters"}, {}])
def test_something_else_in_the_place_of_what_was_asked_for_is_a_failure_and_not_nothing(sent: dict[str, Any]) -> None:
    found = read(CONDITIONS, sent)
    assert found.failed
    assert "something else than Condition" in found.issues[0].reason


@pytest.mark.parametrize(
    "medication",
    [
        {"medicationCodeableConcept": concept("6809", RXNORM, text="Metformin")},
        {
            "medicationReference": {"reference": "#m"},
            "contained": [{"resourceType": "Medication", "id": "m", "code": concept("6809", RXNORM, text="Metformin")}],
        },
        {"medicationReference": {"reference": "Medication/7", "display": "Metformin"}},
    ],
)
def test_a_drug_is_named_in_each_of_its_forms(medication: dict[str, Any]) -> None:
    (fact,) = read(MEDICATIONS, statement("MedicationRequest", status="active", **medication)).coded
    assert isinstance(fact, Drug)
    assert fact.text == "Metformin"


def test_a_drug_that_nothing_names_is_said() -> None:
    found = read(MEDICATIONS, statement("MedicationRequest", medicationReference={"reference": "Medication/7"}))
    assert "neither code nor text" in found.issues[0].reason


def test_an_encounter_carries_its_class_among_its_codes() -> None:
    (fact,) = read(
        ENCOUNTERS,
        statement("Encounter", status="in-progress", type=[concept("308335008", SNOMED)])
        | {"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER"}},
    ).coded
    assert {code.code for code in fact.codes} == {"308335008", "EMER"}


# --- Answers in codes
PREGNANCY = Need.statement("pregnancy", PREGNANCY_STATUS, category="social-history")


def answer(**more: Any) -> dict[str, Any]:
    value = concept("77386006", SNOMED, text="Pregnant")
    return observation("82810-3", **{"valueQuantity": None, "valueCodeableConcept": value, **more})


def test_an_answer_in_codes_is_kept_as_what_it_answers() -> None:
    (fact,) = read(PREGNANCY, answer()).coded
    assert (fact.text, {code.code for code in fact.codes}) == ("Pregnant", {"77386006"})


def test_an_answer_to_another_question_is_left_alone() -> None:
    assert read(PREGNANCY, {**answer(), "code": concept("72166-2")}).coded == []


def test_an_answer_of_another_patient_is_said_and_not_used() -> None:
    found = read(PREGNANCY, answer(subject={"reference": "Patient/9"}))
    assert found.coded == []
    assert "another patient" in found.issues[0].reason


# --- Imaging
CT = {"system": DCM, "code": "CT", "display": "Computed Tomography"}
ABDOMEN = {"system": SNOMED, "code": "818983003", "display": "Abdomen"}
DONE = {"coding": [{"system": LOINC, "code": "30615-4", "display": "CT Abdomen W contrast IV"}], "text": "CT abdomen"}


@pytest.mark.parametrize(
    "form",
    [
        {  # STU3
            "patient": {"reference": "Patient/123"},
            "subject": None,
            "modalityList": [CT],
            "procedureCode": [DONE],
            "series": [{"modality": CT, "bodySite": ABDOMEN}],
        },
        {
            "status": "available",
            "modality": [CT],
            "procedureCode": [DONE],
            "series": [{"bodySite": ABDOMEN}],
        },  # R4, R4B
        {  # R5
            "status": "available",
            "modality": [{"coding": [CT]}],
            "procedure": [{"concept": DONE}],
            "series": [{"modality": {"coding": [CT]}, "bodySite": {"concept": {"coding": [ABDOMEN]}}}],
        },
    ],
)
def test_an_imaging_study_says_what_was_done_where_and_when_in_every_version(form: dict[str, Any]) -> None:
    said = statement("ImagingStudy", started="2026-03-01T09:00:00Z", description="CT ABD W", **form)
    study = read(IMAGING, {name: value for name, value in said.items() if value is not None})
    (found,) = study.coded
    assert isinstance(found, Imaging)
    assert found.codes == {Code(DCM, "CT"), Code(SNOMED, "818983003"), Code(LOINC, "30615-4")}
    assert found.text.startswith("CT ABD W; ")
    assert "CT abdomen" in found.text
    assert found.start is not None
    assert found.source == "ImagingStudy/s1"


def test_a_cancelled_study_left_no_images_and_another_patients_is_said() -> None:
    assert read(IMAGING, statement("ImagingStudy", status="cancelled", modality=[CT])).coded == []
    other = read(IMAGING, statement("ImagingStudy", modality=[CT]) | {"subject": {"reference": "Patient/9"}})
    assert other.coded == []
    assert "another patient" in other.issues[0].reason
