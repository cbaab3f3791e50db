"""Batch and transaction."""

from __future__ import annotations

from typing import Any

from smartapp.demo_ehr import hooks
from tests.smartapp.demo_ehr.conftest import Fhir

OBSERVATION = "urn:uuid:11111111-1111-4111-8111-111111111111"


def entry(resource: dict[str, Any], *, url: str = "", query: str = "") -> dict[str, Any]:
    request = {"method": "POST", "url": resource["resourceType"]} | ({"ifNoneExist": query} if query else {})
    return {"resource": resource, "request": request} | ({"fullUrl": url} if url else {})


def observation() -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "https://example.org/o", "value": "1"}],
        "status": "final",
        "code": {"text": "estimate"},
        "subject": {"reference": "Patient/ada"},
        "valueQuantity": {"value": 18.4, "unit": "%"},
    }


def assessment(basis: str = OBSERVATION) -> dict[str, Any]:
    return {
        "resourceType": "RiskAssessment",
        "status": "final",
        "subject": {"reference": "Patient/ada"},
        "basis": [{"reference": basis}],
    }


def transaction(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def get(url: str) -> dict[str, Any]:
    return {"request": {"method": "GET", "url": url}}


def test_the_parts_of_a_transaction_refer_to_each_other_in_any_order(for_ada: Fhir) -> None:
    answer = for_ada.post("", transaction(entry(assessment()), entry(observation(), url=OBSERVATION))).json()
    stored, found = (one["resource"] for one in answer["entry"])
    assert answer["type"] == "transaction-response"
    assert [one["response"]["status"] for one in answer["entry"]] == ["201 Created", "201 Created"]
    assert stored["basis"] == [{"reference": f"Observation/{found['id']}"}]


def test_a_repeated_transaction_finds_what_the_first_one_made(for_ada: Fhir) -> None:
    query = "identifier=https://example.org/o|1"
    bundle = transaction(entry(observation(), url=OBSERVATION, query=query), entry(assessment()))
    first, second = for_ada.post("", bundle).json(), for_ada.post("", bundle).json()
    assert second["entry"][0]["response"]["status"] == "200 OK"
    assert second["entry"][1]["resource"]["basis"] == first["entry"][1]["resource"]["basis"]


def test_a_transaction_that_fails_at_its_end_leaves_nothing(for_ada: Fhir) -> None:
    broken = assessment("Observation/nowhere")
    answer = for_ada.post("", transaction(entry(observation(), url=OBSERVATION), entry(broken)))
    assert (answer.status_code, answer.json()["resourceType"]) == (422, "OperationOutcome")
    assert for_ada.get("Observation", identifier="https://example.org/o|1").json()["total"] == 0


def test_scopes_are_judged_entry_by_entry() -> None:
    writer = Fhir(hooks.bearer("ada", "patient/Observation.crs patient/RiskAssessment.rs"))
    answer = writer.post("", transaction(entry(observation(), url=OBSERVATION), entry(assessment())))
    assert answer.status_code == 403
    assert writer.get("Observation", identifier="https://example.org/o|1").json()["total"] == 0


def test_each_entry_of_a_batch_answers_for_itself(for_ada: Fhir) -> None:
    entries = [get("Patient/ada"), get("Patient/bruno"), get("Observation?patient=ada&code=http://loinc.org|2345-7")]
    answer = for_ada.post("", {"resourceType": "Bundle", "type": "batch", "entry": entries})
    given = answer.json()["entry"]
    assert answer.status_code == 200
    assert [one["response"]["status"] for one in given] == ["200 OK", "403 Forbidden", "200 OK"]
    assert given[1]["response"]["outcome"]["resourceType"] == "OperationOutcome"
    assert given[2]["resource"]["total"] == 6


def test_a_failed_write_in_a_batch_leaves_nothing(for_ada: Fhir) -> None:
    entries = [entry(assessment("Observation/nowhere")), entry(observation())]
    answer = for_ada.post("", {"resourceType": "Bundle", "type": "batch", "entry": entries}).json()
    assert [one["response"]["status"][:3] for one in answer["entry"]] == ["422", "201"]
    assert for_ada.get("RiskAssessment", patient="ada").json()["total"] == 0


def test_a_bundle_of_another_kind_is_refused(for_ada: Fhir) -> None:
    assert for_ada.post("", {"resourceType": "Bundle", "type": "collection"}).status_code == 400
