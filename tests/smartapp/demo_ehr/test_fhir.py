"""The FHIR server over HTTP: search, paging, conditional create, versions, rights."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from smartapp.demo_ehr import hooks
from tests.smartapp.demo_ehr.conftest import Fhir

GLUCOSE = "http://loinc.org|2345-7"
BASE = "/demo-ehr/fhir"


def a_note(value: str = "one", patient: str = "ada") -> dict[str, Any]:
    return {
        "resourceType": "RiskAssessment",
        "identifier": [{"system": "https://example.org/assessment", "value": value}],
        "status": "preliminary",
        "subject": {"reference": f"Patient/{patient}"},
    }


def ids(answer: Any) -> list[str]:
    return [entry["resource"]["id"] for entry in answer.json().get("entry", [])]


def test_metadata_needs_no_token_and_promises_conditional_create() -> None:
    statement = Client().get(f"{BASE}/metadata").json()
    kinds = {resource["type"]: resource for resource in statement["rest"][0]["resource"]}
    assert statement["fhirVersion"] == "4.0.1"
    assert kinds["RiskAssessment"]["conditionalCreate"] is True


def test_metadata_is_a_valid_capability_statement() -> None:
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement

    statement = CapabilityStatement.model_validate(Client().get(f"{BASE}/metadata").json())
    assert [rest.mode for rest in statement.rest or ()] == ["server"]


def test_without_a_token_nothing_else_is_shown() -> None:
    answer = Client().get(f"{BASE}/Patient/ada")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_code_with_its_system_finds_only_that_code(for_ada: Fhir) -> None:
    found = for_ada.get("Observation", patient="ada", code=GLUCOSE).json()
    assert {entry["resource"]["code"]["coding"][0]["code"] for entry in found["entry"]} == {"2345-7"}


def test_the_right_code_in_the_wrong_system_finds_nothing(for_ada: Fhir) -> None:
    assert for_ada.get("Observation", patient="ada", code="http://snomed.info/sct|2345-7").json()["total"] == 0


def test_codes_separated_by_commas_are_alternatives(for_ada: Fhir) -> None:
    both = for_ada.get("Observation", patient="ada", code=f"{GLUCOSE},http://loinc.org|2085-9").json()["total"]
    one = for_ada.get("Observation", patient="ada", code=GLUCOSE).json()["total"]
    assert both == one + 2


def test_the_newest_comes_first_when_asked_so(for_ada: Fhir) -> None:
    found = for_ada.get("Observation", patient="ada", code=GLUCOSE, _sort="-date").json()
    times = [entry["resource"]["effectiveDateTime"] for entry in found["entry"]]
    assert len(times) == 6
    assert times == sorted(times, reverse=True)


def test_a_status_leaves_out_what_was_entered_in_error(for_ada: Fhir) -> None:
    found = for_ada.get("Observation", patient="ada", code=GLUCOSE, status="final").json()
    assert 999 not in [entry["resource"]["valueQuantity"]["value"] for entry in found["entry"]]


def test_two_dates_bound_a_period(for_ada: Fhir) -> None:
    everything = for_ada.get("Observation", patient="ada", code=GLUCOSE, _sort="date").json()["entry"]
    second = everything[1]["resource"]["effectiveDateTime"][:10]
    found = for_ada.get("Observation", patient="ada", code=GLUCOSE, date=[f"ge{second}", f"le{second}"])
    assert ids(found) == [everything[1]["resource"]["id"]]


def test_a_date_that_is_none_is_refused(for_ada: Fhir) -> None:
    answer = for_ada.get("Observation", patient="ada", date="yesterday")
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


def test_an_unknown_parameter_is_refused_and_not_ignored(for_ada: Fhir) -> None:
    assert for_ada.get("Observation", patient="ada", colour="red").status_code == 400


def test_pages_follow_each_other_without_gap_or_repeat(for_ada: Fhir) -> None:
    everything = ids(for_ada.get("Observation", patient="ada", _sort="-date", _count="200"))
    answer, collected = for_ada.get("Observation", patient="ada", _sort="-date", _count="7"), []
    while True:
        collected += ids(answer)
        links = {link["relation"]: link["url"] for link in answer.json()["link"]}
        if "next" not in links:
            break
        answer = for_ada.client.get(
            links["next"].removeprefix(settings.DEMO_EHR_URL).join(["/demo-ehr", ""]), headers=for_ada.headers
        )
    assert collected == everything


def test_a_search_may_be_posted(for_ada: Fhir) -> None:
    answer = for_ada.client.post(
        f"{BASE}/Observation/_search",
        f"patient=ada&code={GLUCOSE}",
        content_type="application/x-www-form-urlencoded",
        headers=for_ada.headers,
    )
    assert answer.json()["total"] == 6


def test_a_new_resource_gets_an_id_a_place_and_a_version(for_ada: Fhir) -> None:
    answer = for_ada.post("RiskAssessment", a_note() | {"id": "mine"})
    created = answer.json()["id"]
    assert (answer.status_code, answer.headers["ETag"]) == (201, 'W/"1"')
    assert answer.headers["Location"].endswith(f"/fhir/RiskAssessment/{created}/_history/1")
    assert created != "mine"


def test_a_conditional_create_happens_once(for_ada: Fhir) -> None:
    query = "identifier=https://example.org/assessment|one"
    first = for_ada.post("RiskAssessment", a_note(), If_None_Exist=query)
    second = for_ada.post("RiskAssessment", a_note(), If_None_Exist=query)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]


def test_concurrent_conditional_creates_leave_one_resource(for_ada: Fhir) -> None:
    def save() -> None:
        Fhir(hooks.bearer("ada", "patient/*.cruds")).post(
            "RiskAssessment", a_note(), If_None_Exist="identifier=https://example.org/assessment|one"
        )

    threads = [threading.Thread(target=save) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert for_ada.get("RiskAssessment", patient="ada").json()["total"] == 1


def test_a_conditional_create_that_could_mean_several_is_refused(for_ada: Fhir) -> None:
    for_ada.post("RiskAssessment", a_note("one"))
    for_ada.post("RiskAssessment", a_note("two"))
    assert for_ada.post("RiskAssessment", a_note("three"), If_None_Exist="patient=ada").status_code == 412


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"status": None}, "status"),
        ({"colour": "red"}, "colour"),
        ({"prediction": [{"probabilityDecimal": "much"}]}, "prediction"),
    ],
)
def test_an_invalid_resource_is_refused_with_the_place_of_the_fault(for_ada: Fhir, change: Any, place: str) -> None:
    body = {name: value for name, value in (a_note() | change).items() if value is not None}
    answer = for_ada.post("RiskAssessment", body)
    assert answer.status_code == 422
    assert place in answer.json()["issue"][0]["diagnostics"]


def test_a_reference_to_nothing_is_refused(for_ada: Fhir) -> None:
    answer = for_ada.post("RiskAssessment", a_note() | {"basis": [{"reference": "Observation/nowhere"}]})
    assert answer.status_code == 422
    assert for_ada.get("RiskAssessment", patient="ada").json()["total"] == 0


def test_what_is_not_json_is_refused(for_ada: Fhir) -> None:
    answer = for_ada.client.post(f"{BASE}/Observation", "{", content_type="application/json", headers=for_ada.headers)
    assert answer.status_code == 400


def test_an_update_of_an_older_version_is_refused(for_ada: Fhir) -> None:
    stored = for_ada.post("RiskAssessment", a_note()).json()
    place = f"RiskAssessment/{stored['id']}"
    assert for_ada.send("PUT", place, stored | {"status": "final"}, If_Match='W/"1"').status_code == 200
    assert for_ada.send("PUT", place, stored | {"status": "amended"}, If_Match='W/"1"').status_code == 412
    assert for_ada.get(place).json()["status"] == "final"
    assert for_ada.get(f"{place}/_history/1").json()["status"] == "preliminary"


def test_a_token_for_reading_writes_nothing(for_ada: Fhir) -> None:
    reader = Fhir(hooks.bearer("ada", "patient/RiskAssessment.rs patient/*.read"))
    assert reader.post("RiskAssessment", a_note()).status_code == 403


def test_a_scope_of_version_1_opens_the_same_door() -> None:
    reader = Fhir(hooks.bearer("ada", "patient/Observation.read"))
    assert reader.get("Observation", patient="ada").status_code == 200
    assert reader.get("Condition", patient="ada").status_code == 403


def test_a_granular_scope_shows_its_category_only() -> None:
    category = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
    reader = Fhir(hooks.bearer("ada", f"patient/Observation.rs?category={category}"))
    found = reader.get("Observation", patient="ada", _count="200").json()["entry"]
    assert {entry["resource"]["category"][0]["coding"][0]["code"] for entry in found} == {"laboratory"}


def test_an_expired_token_opens_nothing() -> None:
    assert Fhir(hooks.bearer("ada", seconds=-1)).get("Patient/ada").status_code == 401


def test_a_launch_token_is_no_access_token() -> None:
    assert Fhir(hooks.launch_token("ada")).get("Patient/ada").status_code == 401


@pytest.mark.parametrize(
    ("path", "query"), [("Patient/bruno", {}), ("Observation", {"patient": "bruno"}), ("Encounter/bruno-visit", {})]
)
def test_a_token_for_ada_does_not_open_brunos_chart(for_ada: Fhir, path: str, query: dict[str, str]) -> None:
    assert for_ada.get(path, **query).status_code == 403


def test_a_search_without_a_patient_stays_in_adas_chart(for_ada: Fhir) -> None:
    assert ids(for_ada.get("Patient")) == ["ada"]


def test_a_token_for_ada_writes_nothing_about_bruno(for_ada: Fhir, clinician: Fhir) -> None:
    assert for_ada.post("RiskAssessment", a_note(patient="bruno")).status_code == 403
    assert clinician.get("RiskAssessment", patient="bruno").json()["total"] == 0


def test_the_signed_in_clinician_may_be_read_with_the_scope_fhir_user() -> None:
    reader = Fhir(hooks.bearer("ada", "openid fhirUser"))
    assert reader.get("Practitioner/dr-okafor").status_code == 200
    assert reader.get("Practitioner/nurse-ito").status_code == 403


def test_a_system_token_sees_everybody() -> None:
    from smartapp.demo_ehr.grants import access_token

    backend = Fhir(access_token("system/Patient.rs", seconds=60))
    assert backend.get("Patient").json()["total"] == 6


def test_an_unknown_type_is_not_found(clinician: Fhir) -> None:
    assert clinician.get("Starship/1").status_code == 404
