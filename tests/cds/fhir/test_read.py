"""FHIR JSON to facts: what must not be used is dropped and said, and nothing is guessed."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from cds import analytes
from cds.codes import DCM, ICD10CM, LOINC, PREGNANCY_STATUS, RXNORM, SNOMED, UCUM, Code
from cds.facts import Diagnosis, Drug, Imaging, Observed, Quantity
from cds.fhir.read import Reader, Reading
from cds.needs import Need

AUCKLAND = ZoneInfo("Pacific/Auckland")
LABS = Need.observations("labs", analytes.HBA1C, analytes.GLUCOSE, analytes.TOTAL_CHOLESTEROL, category="laboratory")
VITALS = Need.observations(
    "vitals",
    *(analytes.SYSTOLIC, analytes.DIASTOLIC, analytes.HEIGHT, analytes.WEIGHT, analytes.WAIST, analytes.BMI),
    category="vital-signs",
)
KIDNEYS = Need.observations("kidneys", analytes.EGFR, analytes.CREATININE, category="laboratory")
CONDITIONS = Need.resources("conditions", "Condition", required=True)
MEDICATIONS = Need.resources("medications", "MedicationRequest")
IMAGING = Need.resources("imaging", "ImagingStudy")
ENCOUNTERS = Need.resources("encounters", "Encounter")


def read(need: Need, *resources: Any, **more: Any) -> Reading:
    """Of a searchset Bundle of these resources."""
    bundle = {"resourceType": "Bundle", "entry": [{"resource": resource} for resource in resources], **more}
    return reader().read(need, msgspec.json.encode(bundle))


def reader(**more: Any) -> Reader:
    return Reader(patient_id="123", zone=AUCKLAND, **more)


def concept(code: str, system: str = LOINC, **more: Any) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}], **more}


def quantity(value: Any, unit: str | None) -> dict[str, Any]:
    return {"value": value, **({"unit": unit, "system": UCUM, "code": unit} if unit else {})}


def observation(code: str = "4548-4", value: Any = 6.1, unit: str | None = "%", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": concept(code),
        "subject": {"reference": "Patient/123"},
        "effectiveDateTime": "2025-03-01T09:00:00Z",
        "valueQuantity": quantity(value, unit),
        **more,
    }


def statement(kind: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": "s1", "subject": {"reference": "Patient/123"}, **more}


def only(reading: Reading) -> Observed:
    assert reading.issues == []
    (fact,) = reading.observed
    return fact


def reason(reading: Reading) -> str:
    assert reading.observed == []
    (issue,) = reading.issues
    return issue.reason


# --- Values and units
@pytest.mark.parametrize(
    ("code", "value", "unit", "canonical"),
    [
        ("2345-7", 99, "mg/dL", 99),
        ("14749-6", 5.5, "mmol/L", 99.0858),
        ("2345-7", 99, "mg/dl", 99),
        ("4548-4", 6.1, "%", 6.1),
        ("59261-8", 43, "mmol/mol", 6.0845),
        ("14647-2", 5.0, "mmol/L", 193.325),  # 38.67 and not 18
    ],
)
def test_units_are_converted_per_analyte(code: str, value: float, unit: str, canonical: float) -> None:
    fact = only(read(LABS, observation(code, value, unit)))
    assert fact.quantity.value == pytest.approx(canonical, abs=1e-3)
    assert (fact.reported.value, fact.reported.unit) == (value, {"mg/dl": "mg/dL"}.get(unit, unit))


@pytest.mark.parametrize(
    ("code", "value", "unit", "canonical"),
    [
        ("29463-7", 180, "[lb_av]", 81.647),
        ("29463-7", 82000, "g", 82),
        ("8302-2", 70, "[in_i]", 177.8),
        ("8302-2", 1.78, "m", 178),
        ("8280-0", 40, "[in_i]", 101.6),
        ("56086-2", 101, "cm", 101),
    ],
)
def test_pounds_and_inches_are_converted(code: str, value: float, unit: str, canonical: float) -> None:
    assert only(read(VITALS, observation(code, value, unit))).quantity.value == pytest.approx(canonical, abs=1e-3)


@pytest.mark.parametrize(
    ("code", "value", "unit", "canonical"),
    [
        ("98979-8", 38, "mL/min/{1.73_m2}", 38),
        ("33914-3", 38, "mL/min/1.73m2", 38),
        ("33914-3", 38, "mL/min", 38),
        ("2160-0", 1.58, "mg/dL", 1.58),
        ("14682-9", 88.4, "umol/L", 1.0),
        ("14682-9", 88.4, "µmol/L", 1.0),
    ],
)
def test_kidney_values_are_understood_in_each_usual_unit(code: str, value: float, unit: str, canonical: float) -> None:
    found = observation(code, valueQuantity={"value": value, "unit": unit})
    assert only(read(KIDNEYS, found)).quantity.value == pytest.approx(canonical)


@pytest.mark.parametrize("comparator", [">", ">=", "<", "<="])
def test_a_limit_is_kept_as_a_limit_where_the_analyte_allows_it(comparator: str) -> None:
    found = observation("98979-8", valueQuantity={**quantity(60, "mL/min/{1.73_m2}"), "comparator": comparator})
    assert only(read(KIDNEYS, found)).quantity.comparator == comparator


@pytest.mark.parametrize(
    ("text", "comparator", "value"),
    [
        (">60", ">", 60),
        ("< 15", "<", 15),
        ("<=30", "<=", 30),
        ("25", "", 25),
        ("> 60 mL/min/1.73m2", ">", 60),
    ],
)
def test_an_egfr_may_be_written_as_text(text: str, comparator: str, value: float) -> None:
    found = observation("98979-8", valueQuantity=None, valueString=text)
    assert only(read(KIDNEYS, found)).quantity == Quantity(value=value, unit=analytes.EGFR.unit, comparator=comparator)


@pytest.mark.parametrize("text", ["see note", "30-45", "25,5", ">60 %", "-5", "1e9", ""])
def test_any_other_text_is_no_number(text: str) -> None:
    assert read(KIDNEYS, observation("98979-8", valueQuantity=None, valueString=text)).observed == []


@pytest.mark.parametrize(("need", "code"), [(LABS, "4548-4"), (LABS, "2345-7"), (KIDNEYS, "2160-0")])
def test_where_the_code_does_not_fix_the_unit_a_text_is_not_used(need: Need, code: str) -> None:
    found = observation(code, valueQuantity=None, valueString=">6.5")
    assert reason(read(need, found)).endswith("no numeric value")


def test_what_cannot_be_used_keeps_its_date() -> None:
    (issue,) = read(KIDNEYS, observation("98979-8", 25, "mL/min", status="preliminary")).issues
    assert issue.when is not None
    assert (issue.analyte, issue.when.text) == ("egfr", "2025-03-01T09:00:00Z")


def test_what_was_cancelled_is_no_newer_result() -> None:
    (issue,) = read(KIDNEYS, observation("98979-8", 25, "mL/min", status="cancelled")).issues
    assert issue.when is None


def test_a_comparator_that_nobody_knows_is_not_used() -> None:
    found = observation("98979-8", valueQuantity={**quantity(60, "mL/min/{1.73_m2}"), "comparator": "ad"})
    assert read(KIDNEYS, found).observed == []


@pytest.mark.parametrize("unit", ["mg/dl", "mg/dL", "MG/DL"])
def test_a_unit_without_a_ucum_code_is_read_by_its_spelling(unit: str) -> None:
    found = observation("2345-7", valueQuantity={"value": 99, "unit": unit})
    assert only(read(LABS, found)).quantity.unit == "mg/dL"


def test_a_value_without_a_unit_is_refused() -> None:
    assert reason(read(LABS, observation("2345-7", 5.5, None))) == "Glucose (plasma or serum): no unit"


def test_an_unknown_unit_is_refused_and_named() -> None:
    assert "'mg/L' not understood" in reason(read(LABS, observation("2345-7", 99, "mg/L")))
    assert "not understood" in reason(read(LABS, observation("2093-3", 99, "mmol/mol")))


def test_an_hba1c_of_42_percent_is_refused_and_not_taken_for_mmol_per_mol() -> None:
    assert reason(read(LABS, observation(value=42))) == "HbA1c: implausible value 42 %"


def test_a_limit_stays_a_limit_where_it_can_decide() -> None:
    censored = observation(valueQuantity={**quantity(14, "%"), "comparator": ">"})
    (found,) = read(LABS, censored).observed
    assert (found.reported.comparator, found.reported.value) == (">", 14)


@pytest.mark.parametrize(
    "value",
    [
        {"valueQuantity": None, "dataAbsentReason": concept("unknown")},
        {"valueQuantity": None, "valueString": "see note"},
        {"valueQuantity": {"unit": "%"}},
    ],
)
def test_no_number_is_missing_and_not_zero(value: dict[str, Any]) -> None:
    assert reason(read(LABS, observation(**value))) == "HbA1c: no numeric value"


# --- Broken shapes
def test_a_string_for_a_number_spoils_only_its_own_entry() -> None:
    found = read(LABS, observation(value="6.1", id="bad"), observation(id="good"))
    assert [fact.source for fact in found.observed] == ["Observation/good"]
    assert [(issue.reason, issue.source) for issue in found.issues] == [
        ("not readable ($.valueQuantity.value)", "Observation/bad")
    ]
    assert found.dropped == 1


def test_what_is_wrong_is_named_by_its_place_and_never_by_its_value() -> None:
    found = read(CONDITIONS, statement("Condition", code="Mrs Smith has diabetes"))
    assert "Smith" not in found.issues[0].reason


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'"text"', b"[]", b"7", b"{", b'{"resourceType": 5}', b'\xff\xfe"', b'{"entry": {}}'],
)
def test_what_is_not_fhir_is_a_failed_reading(body: bytes) -> None:
    found = reader().read(LABS, body)
    assert found.failed
    assert found.observed == []
    assert len(found.issues) == 1


def test_json_nested_without_end_is_a_failed_reading() -> None:
    assert reader().read(LABS, b'{"resourceType":"Bundle","entry":' + b"[" * 100_000).failed


def test_one_resource_of_a_wrong_shape_is_a_failed_reading() -> None:
    broken = msgspec.json.encode(statement("Condition", code="not a CodeableConcept"))
    assert reader().read(CONDITIONS, broken).failed


def test_a_number_too_large_is_not_readable() -> None:
    body = msgspec.json.encode({"resourceType": "Bundle", "entry": [{"resource": observation(value=77777)}]})
    found = reader().read(LABS, body.replace(b"77777", b"1e999"))
    assert found.observed == []
    assert found.issues


@pytest.mark.parametrize("more", [{}, {"entry": []}, {"entry": None}, {"entry": [{}]}, {"entry": [{"resource": None}]}])
def test_an_empty_bundle_says_that_there_is_nothing(more: dict[str, Any]) -> None:
    found = reader().read(LABS, msgspec.json.encode({"resourceType": "Bundle", "type": "searchset", **more}))
    assert (found.observed, found.issues, found.failed) == ([], [], False)


def test_the_next_page_is_remembered() -> None:
    links = [{"relation": "self", "url": "a"}, {"relation": "next", "url": "https://ehr.example/fhir?page=2"}]
    assert read(LABS, observation(), link=links).next == "https://ehr.example/fhir?page=2"


# --- OperationOutcome
def outcome(*severities: str) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity} for severity in severities]}


def test_an_operation_outcome_in_place_of_data_is_a_failure() -> None:
    assert reader().read(CONDITIONS, msgspec.json.encode(outcome("error"))).failed
    assert reader().read(CONDITIONS, msgspec.json.encode(outcome())).failed


def test_an_error_among_the_results_is_a_failure() -> None:
    assert read(LABS, observation(), outcome("warning", "error")).failed


def test_a_hint_among_the_results_is_none() -> None:
    found = read(LABS, observation(), outcome("information"))
    assert (found.failed, len(found.observed), found.issues) == (False, 1, [])


def test_a_warning_among_the_results_is_said() -> None:
    found = read(LABS, observation(), outcome("warning"))
    assert not found.failed
    assert [issue.reason for issue in found.issues] == ["the server reported: warning"]


# --- Codes, status, person
def test_any_of_several_codings_counts() -> None:
    codings = [{"system": "http://lab.example", "code": "A1C"}, {"system": LOINC, "code": "4548-4"}]
    fact = only(read(LABS, {**observation(), "code": {"coding": codings}}))
    assert fact.code == Code(LOINC, "4548-4")


@pytest.mark.parametrize(
    "system", [None, "", "http://lab.example", "https://loinc.org", "urn:oid:2.16.840.1.113883.6.1"]
)
def test_a_code_of_another_system_does_not_count(system: str | None) -> None:
    found = read(
        LABS, {**observation(), "code": {"coding": [{"system": system, "code": "4548-4", "display": "HbA1c"}]}}
    )
    assert (found.observed, found.issues) == ([], [])


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_a_finished_result_is_used(status: str) -> None:
    assert only(read(LABS, observation(status=status)))


@pytest.mark.parametrize("status", ["preliminary", "registered", "cancelled", "unknown", None])
def test_an_unfinished_result_is_said_and_not_used(status: str | None) -> None:
    assert reason(read(LABS, observation(status=status))) == f"HbA1c: status {status or 'missing'}"


def test_entered_in_error_is_dropped_though_newer() -> None:
    wrong = observation(id="wrong", status="entered-in-error", effectiveDateTime="2025-09-01", value=9.9)
    found = read(LABS, wrong, observation(id="right"))
    assert [fact.source for fact in found.observed] == ["Observation/right"]
    assert (found.dropped, found.issues) == (1, [])


@pytest.mark.parametrize(
    "subject", [{"reference": "Patient/1234"}, {"reference": "Group/123"}, {"display": "123"}, None]
)
def test_another_patients_result_is_said_and_not_used(subject: Any) -> None:
    assert "another patient" in reason(read(LABS, observation(subject=subject)))


@pytest.mark.parametrize("reference", ["Patient/123", "https://ehr.example/fhir/Patient/123", "Patient/123/_history/4"])
def test_the_patient_is_known_by_any_form_of_reference(reference: str) -> None:
    assert only(read(LABS, observation(subject={"reference": reference})))


def test_a_urn_means_the_patient_where_the_bundle_says_so() -> None:
    body = msgspec.json.encode(observation(subject={"reference": "urn:uuid:0c"}))
    assert reader(names=frozenset({"urn:uuid:0c"})).read(LABS, body).observed
    assert not reader().read(LABS, body).observed


def test_a_result_without_an_id_has_no_source() -> None:
    assert only(read(LABS, observation(id=None))).source == ""


# --- When
@pytest.mark.parametrize(
    "times",
    [
        {"effectiveDateTime": "2025-03-01"},
        {"effectiveDateTime": None, "effectiveInstant": "2025-03-01T10:00:00+13:00"},
        {"effectiveDateTime": None, "effectivePeriod": {"start": "2025-02-01", "end": "2025-03-01"}},
        {"effectiveDateTime": None, "effectivePeriod": {"start": "2025-03-01"}},
        {"effectiveDateTime": None, "issued": "2025-03-01T10:00:00+13:00"},
    ],
)
def test_the_date_is_found_in_any_of_its_places(times: dict[str, Any]) -> None:
    assert only(read(LABS, observation(**times))).when.day.isoformat() == "2025-03-01"


@pytest.mark.parametrize("text", [None, "yesterday", "2025-02-30"])
def test_a_result_without_a_date_is_said_and_not_used(text: str | None) -> None:
    assert reason(read(LABS, observation(effectiveDateTime=text))) == "HbA1c: no usable date"


# --- Blood pressure
def test_a_pressure_panel_is_read_by_its_components() -> None:
    parts = [
        {"code": concept("8480-6"), "valueQuantity": quantity(138, "mm[Hg]")},
        {"code": concept("8462-4"), "valueQuantity": quantity(84, "mmHg")},
    ]
    found = read(VITALS, observation("85354-9", valueQuantity=None, component=parts))
    assert [(fact.analyte, fact.quantity.value) for fact in found.observed] == [("systolic", 138), ("diastolic", 84)]
    assert found.issues == []


def test_a_stand_alone_pressure_is_read() -> None:
    assert only(read(VITALS, observation("8480-6", 138, "mm[Hg]"))).analyte == "systolic"


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
