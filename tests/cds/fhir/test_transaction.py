"""One transaction, and what came back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cds.errors import FhirInvalid
from cds.fallbacks import as_diagnostic_report, as_document
from cds.fhir.transaction import BESIDE, WITH_CARD, references, transaction
from cds.fhir.versions import Version
from cds.records import Charted
from tests.cds.saved import ASSESSMENT_ID, AT, OBSERVATION, REPORT, RISK, essential

RECORDS: list[Charted] = [RISK, OBSERVATION]


def whole(records: list[Charted] = RECORDS, **more: Any) -> dict[str, Any]:
    return transaction(records, **{"fhir_user": "Practitioner/p", "confirmed_at": AT, "beside": WITH_CARD, **more})


def by_type(bundle: dict[str, Any]) -> dict[str, Any]:
    return {entry["resource"]["resourceType"]: entry for entry in bundle["entry"]}


def asked_for(bundle: dict[str, Any]) -> list[str]:
    """The searches that find the patient's own resources in it, if they are there already."""
    requests = [entry["request"] for entry in bundle["entry"] if "subject" in entry["resource"]]
    return [f"{request['url']}?{request['ifNoneExist']}" for request in requests]


def answer(*entries: dict[str, Any], kind: str = "transaction-response") -> bytes:
    return msgspec.json.encode({"resourceType": "Bundle", "type": kind, "entry": list(entries)})


def created(location: str) -> dict[str, Any]:
    return {"response": {"status": "201 Created", "location": location}}


def test_records_device_and_provenance_refer_to_each_other_inside_the_bundle() -> None:
    found = by_type(whole())
    risk, device = found["RiskAssessment"]["resource"], found["Device"]["fullUrl"]
    assert risk["basis"][0]["reference"] == found["Observation"]["fullUrl"]
    assert risk["performer"]["reference"] == found["Observation"]["resource"]["device"]["reference"] == device
    provenance = found["Provenance"]["resource"]
    assert [one["reference"] for one in provenance["target"]] == [
        found["RiskAssessment"]["fullUrl"],
        found["Observation"]["fullUrl"],
    ]
    assert provenance["agent"][0]["who"]["reference"] == device


def test_each_resource_with_an_identifier_is_created_only_if_it_is_not_there() -> None:
    queries = {kind: entry["request"].get("ifNoneExist") for kind, entry in by_type(whole()).items()}
    system = "https://bedside.dev/fhir/identifier"
    assert queries == {
        "RiskAssessment": f"identifier={system}/assessment|{ASSESSMENT_ID}",
        "Observation": f"identifier={system}/assessment|{ASSESSMENT_ID}-observation",
        "Device": f"identifier={system}/algorithm|diabetes-risk/1.0.0%2Bnhanes",
        "DocumentReference": f"identifier={system}/model-card|diabetes-risk/1.0.0%2Bnhanes",
        "Provenance": None,
    }


def test_the_model_card_stands_beside_and_device_and_provenance_point_to_it() -> None:
    found = by_type(whole())
    card = found["DocumentReference"]["fullUrl"]
    assert found["Device"]["resource"]["extension"][-1]["valueReference"] == {"reference": card}
    assert {"role": "derivation", "what": {"reference": card}} in found["Provenance"]["resource"]["entity"]


def test_an_algorithm_without_a_card_is_described_by_none() -> None:
    bare = msgspec.structs.replace(RISK, algorithm=msgspec.structs.replace(RISK.algorithm, card=""))
    assert "DocumentReference" not in by_type(whole([bare]))


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("beside", [WITH_CARD, BESIDE, WITH_CARD - {"Device"}, frozenset()], ids=sorted)
def test_every_form_is_valid_in_every_version(beside: frozenset[str], version: Version) -> None:
    """`transaction` raises where it is not."""
    records: list[Charted] = [*RECORDS, as_diagnostic_report(REPORT, OBSERVATION), as_document(REPORT, OBSERVATION)]
    found = whole(records, version=version, beside=beside)
    kinds = [entry["resource"]["resourceType"] for entry in found["entry"]]
    assert set(kinds) - {"RiskAssessment", "Observation", "DiagnosticReport", "DocumentReference"} == beside - {
        "DocumentReference"
    }


def test_what_may_not_be_created_beside_is_inside_or_left_out() -> None:
    found = by_type(whole(beside=frozenset({"Provenance"})))
    assert set(found) == {"RiskAssessment", "Observation", "Provenance"}
    provenance = found["Provenance"]["resource"]
    assert provenance["agent"][0]["who"] == {"reference": "#algorithm"}
    assert [one["id"] for one in provenance["contained"]] == ["algorithm"]


def test_a_diagnostic_report_rests_on_the_observation_in_the_same_bundle() -> None:
    found = by_type(whole([OBSERVATION, as_diagnostic_report(REPORT, OBSERVATION)]))
    assert found["DiagnosticReport"]["resource"]["result"] == [{"reference": found["Observation"]["fullUrl"]}]


def test_no_resource_contains_what_it_does_not_refer_to() -> None:
    """R4, dom-3."""
    found = by_type(essential([OBSERVATION, as_diagnostic_report(REPORT, OBSERVATION)]))
    assert "contained" not in found["DiagnosticReport"]["resource"]
    assert "contained" in found["Observation"]["resource"]


def test_a_document_can_go_alone() -> None:
    found = by_type(whole([as_document(REPORT, OBSERVATION)], beside=frozenset({"Device"})))
    assert found["DocumentReference"]["resource"]["author"] == [{"reference": found["Device"]["fullUrl"]}]


@pytest.mark.parametrize(("user", "status"), [("Practitioner/p", "final"), ("", "preliminary")])
def test_what_nobody_confirmed_is_preliminary(user: str, status: str) -> None:
    document = as_document(REPORT, OBSERVATION)
    for form in (whole([*RECORDS, document], fhir_user=user), essential([*RECORDS, document], fhir_user=user)):
        results = [entry["resource"] for entry in form["entry"] if "subject" in entry["resource"]]
        assert {one.get("docStatus", one["status"]) for one in results} == {status}


def test_without_device_and_provenance_each_record_holds_its_author_itself() -> None:
    found = by_type(essential(RECORDS))
    assert set(found) == {"RiskAssessment", "Observation"}
    assert found["RiskAssessment"]["resource"]["performer"] == {"reference": "#algorithm"}
    assert found["Observation"]["resource"]["contained"][0]["id"] == "algorithm"


def test_both_forms_ask_for_the_same_resources_so_that_one_never_repeats_the_other() -> None:
    assert asked_for(whole()) == asked_for(essential(RECORDS))
    assert len(asked_for(whole())) == 2


def test_what_is_not_valid_is_not_sent() -> None:
    with pytest.raises(FhirInvalid, match="probabilityDecimal"):
        essential([msgspec.structs.replace(RISK, probability=float("nan"))])


@pytest.mark.parametrize(
    "location", ["RiskAssessment/7/_history/1", "https://ehr.example/fhir/RiskAssessment/7", "/RiskAssessment/7"]
)
def test_the_place_of_a_new_resource_is_read_from_an_absolute_or_a_relative_location(location: str) -> None:
    sent = essential([RISK])
    assert references(answer(created(location)), sent=sent) == ["RiskAssessment/7"]


def test_what_was_there_already_is_named_by_its_resource_or_by_the_search_that_finds_it() -> None:
    sent, response = essential([RISK]), {"status": "200 OK"}
    resource = {"resourceType": "RiskAssessment", "id": "7"}
    assert references(answer({"response": response, "resource": resource}), sent=sent) == ["RiskAssessment/7"]
    assert references(answer({"response": response}), sent=sent) == asked_for(sent)


@pytest.mark.parametrize(
    "bad",
    [
        b"<html>",
        b"[]",
        answer(kind="batch-response"),
        answer(),
        answer({"response": {"status": "412 Precondition Failed"}}),
        answer({}),
    ],
    ids=["html", "array", "batch", "fewer entries", "a refused entry", "no status"],
)
def test_an_answer_that_does_not_say_that_all_was_written_is_a_failure(bad: bytes) -> None:
    with pytest.raises(FhirInvalid):
        references(bad, sent=essential([RISK]))
