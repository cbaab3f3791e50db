"""FHIR JSON to facts: what must not be used is dropped and said, and nothing is guessed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cds.codes import LOINC, Code
from tests.cds.fhir.reading import (
    CONDITIONS,
    LABS,
    observation,
    only,
    read,
    reader,
    reason,
    statement,
)


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
