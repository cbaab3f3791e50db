"""What differs between FHIR STU3, R4, R4B and R5."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cds.codes import ACT_CODE, HBA1C_ORDER
from cds.fhir.shapes import Statement
from cds.fhir.versions import Version, classes, names_of, settle
from cds.needs import Need
from tests.cds.fhir.test_write import document, observation, order, report, risk_assessment, signed
from tests.cds.fhir.test_write import written as all_written

STU3, R4, R4B, R5 = Version
ORDERS = Need.resources("orders", "ServiceRequest")


def settled(**members: Any) -> Statement:
    found = msgspec.json.decode(msgspec.json.encode(members), type=Statement)
    settle(found)
    return found


def concept(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://example.org", "code": code}]}


def codes(found: Any) -> list[str]:
    return [coding.code for coding in found.coding]


# --- Which
@pytest.mark.parametrize(
    ("said", "version"),
    [("3.0.1", STU3), ("3.0.2", STU3), ("4.0.1", R4), ("4.0", R4), ("4.3.0", R4B), ("5.0.0", R5), (" 4.0.1 ", R4)],
)
def test_the_version_is_the_capability_statements(said: str, version: Version) -> None:
    assert Version.of(said) is version


@pytest.mark.parametrize("said", ["", "1.0.2", "3.5.0", "4.1.0", "4", "4.6.0", "6.0.0-ballot2", "R4"])
def test_drafts_and_versions_that_are_not_spoken_are_none(said: str) -> None:
    assert Version.of(said) is None


# --- Asking
def test_stu3_is_asked_for_procedure_requests_and_in_their_name_alone() -> None:
    asked = STU3.asks(ORDERS)
    assert asked.search("7") == "ProcedureRequest?patient=7&_count=200"
    assert asked.template == "ProcedureRequest?patient={{context.patientId}}&_count=200"
    assert (asked.key, STU3.calls("ServiceRequest")) == ("orders", "ProcedureRequest")


@pytest.mark.parametrize("version", [R4, R4B, R5])
def test_the_others_are_asked_for_service_requests(version: Version) -> None:
    assert version.asks(ORDERS) is ORDERS


def test_what_has_one_name_in_all_versions_is_asked_by_it() -> None:
    conditions = Need.resources("conditions", "Condition")
    assert STU3.asks(conditions) is conditions
    assert names_of("Condition") == ("Condition",)


# --- Reading
def test_r5_classes_of_an_encounter_are_all_read() -> None:
    found = settled(resourceType="Encounter", **{"class": [concept("IMP"), concept("ACUTE")]})
    assert [coding.code for coding in classes(found)] == ["IMP", "ACUTE"]


def test_r4_has_one_class_of_an_encounter() -> None:
    found = settled(resourceType="Encounter", **{"class": {"system": ACT_CODE, "code": "IMP"}})
    assert [coding.code for coding in classes(found)] == ["IMP"]
    assert classes(settled(resourceType="Encounter")) == []


@pytest.mark.parametrize(
    ("kind", "theirs", "ours"),
    [
        ("Encounter", "completed", "finished"),
        ("Encounter", "discharged", "finished"),
        ("Encounter", "discontinued", "finished"),
        ("Encounter", "on-hold", "onleave"),
        ("Encounter", "in-progress", "in-progress"),
        ("MedicationRequest", "ended", "stopped"),
        ("MedicationRequest", "completed", "completed"),
        ("ProcedureRequest", "suspended", "on-hold"),
        ("ProcedureRequest", "cancelled", "revoked"),
        ("ServiceRequest", "revoked", "revoked"),
        ("Procedure", "aborted", "stopped"),
        ("Procedure", "completed", "completed"),
        ("MedicationStatement", "active", "active"),
        ("MedicationStatement", "recorded", "unknown"),
    ],
)
def test_a_status_is_said_in_r4s_words(kind: str, theirs: str, ours: str) -> None:
    assert settled(resourceType=kind, status=theirs).status == ours


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("taking", "active"),
        ("taking-not-as-directed", "active"),
        ("not-taking", "not-taken"),
        ("stopped-as-directed", "stopped"),
        ("on-hold", "on-hold"),
        ("unknown", "unknown"),
    ],
)
def test_r5_says_by_adherence_whether_a_drug_is_taken(code: str, status: str) -> None:
    found = settled(resourceType="MedicationStatement", status="recorded", adherence={"code": concept(code)})
    assert found.status == status


@pytest.mark.parametrize(
    ("taken", "status"), [("n", "not-taken"), ("y", "active"), ("unk", "unknown"), ("na", "active")]
)
def test_stu3_says_beside_the_status_whether_a_drug_is_taken(taken: str, status: str) -> None:
    assert settled(resourceType="MedicationStatement", status="active", taken=taken).status == status


@pytest.mark.parametrize("kind", ["MedicationRequest", "MedicationStatement"])
def test_r5_names_a_drug_by_a_codeable_reference(kind: str) -> None:
    by_code = settled(resourceType=kind, medication={"concept": concept("860975")})
    by_reference = settled(resourceType=kind, medication={"reference": {"reference": "#m"}})
    assert by_code.medication_codeable_concept
    assert by_reference.medication_reference
    assert codes(by_code.medication_codeable_concept) == ["860975"]
    assert by_reference.medication_reference.reference == "#m"


def test_r5_names_what_is_ordered_by_a_codeable_reference_and_r4_by_a_concept() -> None:
    r5 = settled(resourceType="ServiceRequest", code={"concept": concept(HBA1C_ORDER.code)})
    r4 = settled(resourceType="ServiceRequest", code=concept(HBA1C_ORDER.code))
    assert codes(r5.code) == codes(r4.code) == [HBA1C_ORDER.code]


def test_a_procedures_time_has_another_name_in_r5_and_an_orders_is_no_start() -> None:
    assert settled(resourceType="Procedure", occurrenceDateTime="2025-03").performed_date_time == "2025-03"
    assert settled(resourceType="ServiceRequest", occurrenceDateTime="2025-03").performed_date_time is None


def test_stu3_says_beside_the_status_that_a_procedure_was_not_done() -> None:
    assert settled(resourceType="Procedure", status="suspended", notDone=True).status == "not-done"


def test_stu3_calls_the_recorded_date_of_a_condition_asserted() -> None:
    assert settled(resourceType="Condition", assertedDate="2012-12-01").recorded_date == "2012-12-01"


def test_r5_calls_the_time_of_an_encounter_actual() -> None:
    found = settled(resourceType="Encounter", actualPeriod={"start": "2025-03-01"})
    assert found.period
    assert found.period.start == "2025-03-01"


# --- Writing
@pytest.mark.parametrize("resource", all_written(), ids=lambda resource: str(resource["resourceType"]))
def test_r4b_is_written_as_r4(resource: dict[str, Any]) -> None:
    assert R4.writes(resource) == R4B.writes(resource) == resource


def test_stu3_has_one_identifier_of_a_risk_assessment_and_its_own_names_of_code_systems() -> None:
    found = STU3.writes(risk_assessment())
    assert found["identifier"] == risk_assessment()["identifier"][0]
    (prediction,) = found["prediction"]
    assert prediction["probabilityDecimal"] == 18.4
    assert prediction["qualitativeRisk"]["coding"][0]["system"] == "http://hl7.org/fhir/risk-probability"
    assert found["meta"]["security"][0]["system"] == "http://hl7.org/fhir/v3/ObservationValue"


def test_stu3_relates_an_observation_where_r4_derives_it_and_has_one_comment() -> None:
    found = STU3.writes(observation())
    assert found["related"] == [{"type": "derived-from", "target": {"reference": "Observation/ada-glucose"}}]
    assert found["comment"] == observation()["note"][0]["text"]
    assert not {"derivedFrom", "note"} & set(found)


def test_stu3_relates_an_observation_to_nothing_that_it_cannot_point_to() -> None:
    found = STU3.writes(observation() | {"derivedFrom": [{"reference": "ImagingStudy/1"}]})
    assert "related" not in found


def test_stu3_names_the_agents_of_a_provenance_by_role_alone() -> None:
    found = STU3.writes(signed("Practitioner/p"))
    author, verifier = found["agent"]
    assert author["whoReference"] == {"reference": "Device/d"}
    assert [role["coding"][0]["code"] for agent in (author, verifier) for role in agent["role"]] == ["AUT", "VRF"]
    assert found["period"]["start"] == found["period"]["end"]
    assert [reason["code"] for reason in found["reason"]] == ["AIAST"]


def test_stu3_names_a_verifier_in_a_role_by_address_as_no_reference_may() -> None:
    assert STU3.writes(signed("PractitionerRole/7"))["agent"][1]["whoUri"] == "PractitionerRole/7"


def test_stu3_has_one_category_of_a_report_and_a_class_of_a_document() -> None:
    assert STU3.writes(report())["category"]["coding"][0]["system"] == "http://hl7.org/fhir/v2/0074"
    found = STU3.writes(document())
    assert found["indexed"] == document()["date"]
    assert found["context"] == {"related": [{"ref": {"reference": "Observation/ada-glucose"}}]}


def test_stu3_gets_a_draft_order_as_a_procedure_request() -> None:
    from cds.fhir.write import order_as_fhir

    assert order_as_fhir(order(), STU3)["resourceType"] == "ProcedureRequest"
    assert order_as_fhir(order(), R5)["code"]["concept"]["coding"][0]["code"] == HBA1C_ORDER.code


def test_r5_authorizes_where_r4_gives_a_reason() -> None:
    found = R5.writes(signed("Practitioner/p"))
    assert found["authorization"][0]["concept"]["coding"][0]["code"] == "AIAST"
    assert {entity["role"] for entity in found["entity"]} == {"source"}


def test_r5_has_the_size_of_an_attachment_as_text() -> None:
    attached = R5.writes(document())["content"][0]["attachment"]
    assert attached["size"] == str(document()["content"][0]["attachment"]["size"])


@pytest.mark.parametrize("version", [STU3, R5])
@pytest.mark.parametrize("resource", all_written(), ids=lambda resource: str(resource["resourceType"]))
def test_profiles_and_extensions_of_the_guide_for_r4_are_claimed_in_r4_alone(
    resource: dict[str, Any], version: Version
) -> None:
    text = msgspec.json.encode(version.writes(resource)).decode()
    assert "aitransparency/StructureDefinition" not in text
