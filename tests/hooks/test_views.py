"""The CDS Hooks door, from outside, as the demo hospital sees it."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import pytest
import requests

from cds.models import Assessment, AuditEntry, Ehr, EnabledService, Feedback
from hooks.models import HookCall
from smartapp.demo_ehr import hooks as emr
from tests.conftest import finished
from tests.serving import serving
from tests.strangers import Stranger

SERVICE = "diabetes-risk"


def cards(patient: str, **options: Any) -> list[dict[str, Any]]:
    answer = emr.call_hook(patient, SERVICE, **options)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["cards"]
    return found


def request_body(patient: str, **options: Any) -> dict[str, Any]:
    return emr.hook_request(patient, emr.services()[0], **options)


def post(body: Any, *, service: str = SERVICE, jwt: str | None = None, data: bytes | None = None) -> requests.Response:
    url = emr.endpoint(service)
    headers = {"Authorization": f"Bearer {jwt or emr.sign(url)}", "Content-Type": "application/json"}
    if data is not None:
        return requests.post(url, data=data, headers=headers, timeout=30)
    return requests.post(url, json=body, headers=headers, timeout=30)


def diagnostics(answer: requests.Response) -> str:
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    return str(body["issue"][0]["diagnostics"])


# --- Discovery ---------------------------------------------------------------------------------------------------
def test_discovery_offers_the_service_with_prefetch_from_its_needs(hospital: Ehr) -> None:
    offered = emr.services()[0]
    assert (offered["id"], offered["hook"]) == (SERVICE, "patient-view")
    assert offered["prefetch"]["patient"] == "Patient/{{context.patientId}}"
    assert "4548-4" in offered["prefetch"]["hba1c"]


@pytest.mark.parametrize(("version", "kind"), [("3.0", "ProcedureRequest"), ("5.0", "ServiceRequest")])
def test_prefetch_and_the_offered_order_are_of_the_records_fhir_version(hospital: Ehr, version: str, kind: str) -> None:
    hospital.fhir_version = version
    hospital.save()
    assert emr.services()[0]["prefetch"]["orders"].startswith(f"{kind}?patient=")
    (card,) = cards("ada")
    assert card["suggestions"][0]["actions"][0]["resource"]["resourceType"] == kind


def test_discovery_may_be_cached(hospital: Ehr) -> None:
    assert "max-age" in emr.discover().headers["Cache-Control"]


# --- The cast ----------------------------------------------------------------------------------------------------
def test_ada_who_was_never_tested_gets_a_card_that_offers_the_test(hospital: Ehr) -> None:
    (card,) = cards("ada")
    assert "No HbA1c on record. About" in card["summary"]
    resource = card["suggestions"][0]["actions"][0]["resource"]
    assert (resource["resourceType"], resource["status"]) == ("ServiceRequest", "draft")
    assert resource["subject"]["reference"] == "Patient/ada"


def test_a_card_on_which_a_model_spoke_leads_to_that_versions_page(hospital: Ehr) -> None:
    (card,) = cards("ada")
    why, about = card["links"]
    assert (why["type"], about["type"]) == ("smart", "absolute")
    assert about["url"].endswith(f"/models/diabetes-risk/{Assessment.objects.get().model_version}")
    page = requests.get(about["url"], timeout=30)
    assert page.status_code == 200
    assert "Model card" in page.text


def test_the_card_names_values_with_unit_date_and_contribution(hospital: Ehr) -> None:
    (card,) = cards("ada")
    assert "Glucose 121 mg/dL (" in card["detail"]
    assert "log-odds" in card["detail"]


def test_bruno_at_low_risk_gets_no_card(hospital: Ehr) -> None:
    assert cards("bruno") == []


def test_chen_without_any_laboratory_value_is_due_for_screening(hospital: Ehr) -> None:
    (card,) = cards("chen")
    assert "Screening for diabetes is due" in card["summary"]


@pytest.mark.parametrize("patient", ["dara", "emil"])
def test_the_diagnosed_and_the_child_get_no_card(hospital: Ehr, patient: str) -> None:
    assert cards(patient) == []


def test_farahs_hba1c_in_mmol_per_mol_is_prediabetes(hospital: Ehr) -> None:
    (card,) = cards("farah")
    assert card["summary"].startswith("HbA1c 43 mmol/mol")
    assert card["indicator"] == "info"


# --- Prefetch and fetching ---------------------------------------------------------------------------------------
def test_what_was_not_prefetched_is_fetched_with_the_hooks_token(hospital: Ehr) -> None:
    assert cards("ada", prefetch=False)[0]["summary"] == cards("ada")[0]["summary"]


def test_one_missing_key_is_fetched(hospital: Ehr) -> None:
    body = request_body("ada")
    del body["prefetch"]["glucose"]
    assert post(body).json()["cards"][0]["summary"] == cards("ada")[0]["summary"]


def test_without_prefetch_and_without_a_token_the_answer_is_412(hospital: Ehr) -> None:
    answer = post(request_body("ada", prefetch=False, authorized=False))
    assert answer.status_code == 412
    assert "patient" in diagnostics(answer)
    asked = AuditEntry.objects.get(action="hook")
    assert (asked.patient_key, asked.detail["answer"]) == (hospital.pseudonym("ada"), "missing data")


def test_a_fhir_server_that_is_too_slow_for_a_hook_is_a_412(hospital: Ehr, settings: Any) -> None:
    """A slow EHR must not hold its own user: what it did not say in the hook's time counts as not to be had."""
    settings.HOOK_FETCH_SECONDS = 0.2
    body = request_body("ada", prefetch=False)
    with serving(Stranger()) as slow:
        slow.silent = True
        Ehr.objects.filter(pk=hospital.pk).update(fhir_base=f"{slow.url}/fhir")
        answer = post(body | {"fhirServer": f"{slow.url}/fhir"})
    assert answer.status_code == 412
    assert HookCall.objects.get().milliseconds < settings.FHIR_TIMEOUT_SECONDS * 1000


def test_a_failed_required_prefetch_without_a_token_is_412(hospital: Ehr) -> None:
    body = request_body("ada", authorized=False)
    body["prefetch"]["conditions"] = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "exception"}],
    }
    assert post(body).status_code == 412


def test_a_null_prefetch_means_asked_and_nothing_there(hospital: Ehr) -> None:
    body = request_body("ada", authorized=False)
    body["prefetch"]["hba1c"] = None
    assert "No HbA1c on record" in post(body).json()["cards"][0]["summary"]


def test_unreadable_medications_are_said_on_the_card(hospital: Ehr) -> None:
    body = request_body("ada", authorized=False)
    body["prefetch"]["medications"] = {"resourceType": "OperationOutcome", "issue": []}
    assert "Medications could not be read" in post(body).json()["cards"][0]["detail"]


def test_a_paged_required_prefetch_without_a_token_is_412(hospital: Ehr) -> None:
    body = request_body("ada", authorized=False)
    body["prefetch"]["hba1c"] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [{"relation": "next", "url": "http://elsewhere.example/next"}],
    }
    assert post(body).status_code == 412


# --- The queue ---------------------------------------------------------------------------------------------------
def test_the_same_facts_are_assessed_once(hospital: Ehr) -> None:
    cards("ada")
    cards("ada")
    assert Assessment.objects.count() == 1
    assert HookCall.objects.count() == 2


def test_an_assessment_that_is_not_done_in_time_is_pending_and_not_silent(hospital: Ehr, settings: Any) -> None:
    settings.HOOK_WAIT_SECONDS = 0
    said = [
        cards(patient)[0]["summary"] for patient in ("ada", "chen", "farah")
    ]  # a quick worker may be in time for one
    assert any(summary.startswith("Still checking for undiagnosed diabetes") for summary in said)
    assert all(finished(assessment).settled for assessment in Assessment.objects.all())


def test_a_silent_service_scores_and_shows_nothing(hospital: Ehr) -> None:
    EnabledService.objects.update(stage=EnabledService.Stage.SILENT)
    assert cards("ada") == []
    assert finished(Assessment.objects.get()).settled


def test_a_canary_is_shown_to_its_share_of_users_and_silent_for_the_rest(hospital: Ehr) -> None:
    EnabledService.objects.update(stage=EnabledService.Stage.CANARY, canary_percent=50)
    here = EnabledService.objects.get(service_id=SERVICE)
    users = [f"Practitioner/{number}" for number in range(100)]
    inside = next(user for user in users if here.shown_to(hospital.pseudonym(user)))
    outside = next(user for user in users if not here.shown_to(hospital.pseudonym(user)))
    body = request_body("ada")
    body["context"]["userId"] = outside
    assert post(body).json() == {"cards": []}
    assert finished(Assessment.objects.get()).settled
    body["context"]["userId"] = inside
    assert post(body).json()["cards"] != []


def test_a_service_that_is_off_does_not_even_look(hospital: Ehr) -> None:
    body = request_body("ada")
    EnabledService.objects.update(stage=EnabledService.Stage.OFF)
    assert post(body).json() == {"cards": []}
    assert not Assessment.objects.exists()


def test_every_call_is_audited_without_the_patients_id(hospital: Ehr) -> None:
    cards("ada")
    entry = AuditEntry.objects.get(action="hook")
    assert entry.patient_key == hospital.pseudonym("ada")
    assert entry.subject == str(Assessment.objects.get().id)
    assert "ada" not in str(entry.detail)


# --- Bad input ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hook": "order-sign"}, "answers the hook patient-view"),
        ({"context": None}, "no context"),
        ({"context": {"userId": "Practitioner/1"}}, "context.patientId is missing"),
        ({"context": {"patientId": "ada/../dara"}}, "not a FHIR id"),
        ({"context": {"patientId": 7}}, "not a text"),
        ({"prefetch": "ada"}, "wrong shape"),
        ({"fhirServer": "http://127.0.0.1:9/evil"}, "not the one that is registered"),
    ],
)
def test_what_cannot_be_used_is_a_400_that_says_so(hospital: Ehr, change: dict[str, Any], said: str) -> None:
    answer = post(request_body("ada") | change)
    assert answer.status_code == 400
    assert said in diagnostics(answer)


def test_a_token_for_another_patient_is_a_400(hospital: Ehr) -> None:
    body = request_body("ada")
    body["fhirAuthorization"]["patient"] = "dara"
    assert post(body).status_code == 400


def test_prefetch_of_another_patient_is_a_400(hospital: Ehr) -> None:
    body = request_body("ada")
    body["prefetch"]["patient"] = request_body("bruno")["prefetch"]["patient"]
    answer = post(body)
    assert answer.status_code == 400
    assert "another one" in diagnostics(answer)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b"null"])
def test_what_is_not_a_json_object_is_a_400(hospital: Ehr, data: bytes) -> None:
    answer = post(None, data=data)
    assert answer.status_code == 400
    assert diagnostics(answer)


def test_an_unknown_service_is_a_404(hospital: Ehr) -> None:
    assert post(request_body("ada"), service="tarot").status_code == 404


def test_fifty_megabytes_are_a_413(hospital: Ehr) -> None:
    answer = post(None, data=b'{"hook":"' + b"x" * 50_000_000 + b'"}')
    assert answer.status_code == 413


def test_strings_for_numbers_are_said_and_not_used(hospital: Ehr) -> None:
    body = request_body("ada", authorized=False)
    assert body["prefetch"]["glucose"]["entry"]
    for entry in body["prefetch"]["glucose"]["entry"]:
        entry["resource"]["valueQuantity"]["value"] = "121"
    answer = post(body)
    assert answer.status_code == 200
    assessment = Assessment.objects.get()
    assert any("not readable" in issue.reason for issue in assessment.context.issues)


@pytest.mark.parametrize("token", ["x\r\nX-Other: y", "x\u20ac", "two words"])
def test_a_token_that_no_header_can_carry_is_a_400_and_in_no_log(
    hospital: Ehr, caplog: pytest.LogCaptureFixture, token: str
) -> None:
    body = request_body("ada")
    del body["prefetch"]
    body["fhirAuthorization"]["access_token"] = token
    answer = post(body)
    assert answer.status_code == 400
    assert "access_token" in diagnostics(answer)
    assert token not in caplog.text + answer.text


def test_no_log_line_holds_anything_of_the_patient(hospital: Ehr, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = request_body("ada")
    post(body)
    post(body | {"context": {"patientId": "ada/x"}})
    ours = [
        record.getMessage() for record in caplog.records if not record.name.startswith(("urllib3", "django.server"))
    ]
    token = body["fhirAuthorization"]["access_token"]
    assert not [line for line in ours if "Lindqvist" in line or token in line or "Patient/ada" in line]


# --- Feedback ----------------------------------------------------------------------------------------------------
def test_feedback_finds_its_card_and_counts_once(hospital: Ehr) -> None:
    (card,) = cards("ada")
    suggestion = card["suggestions"][0]["uuid"]
    said = {
        "card": card["uuid"],
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": suggestion}],
        "outcomeTimestamp": "2026-11-22T10:00:00Z",
    }
    for _ in range(2):
        assert emr.post(f"{emr.endpoint(SERVICE)}/feedback", {"feedback": [said]}).status_code == 200
    feedback = Feedback.objects.get()
    assert feedback.card is not None
    assert str(feedback.card.pk) == card["uuid"]


def test_an_override_keeps_its_reason_and_its_comment_encrypted(hospital: Ehr) -> None:
    (card,) = cards("ada")
    override = {"reason": {"code": "already-known", "system": "x"}, "userComment": "known since spring"}
    emr.send_feedback(SERVICE, [{"card": card["uuid"], "outcome": "overridden", "overrideReason": override}])
    feedback = Feedback.objects.get()
    assert (feedback.reason, feedback.comment) == ("already-known", b"known since spring")


def test_feedback_for_an_unknown_card_is_kept(hospital: Ehr) -> None:
    assert emr.send_feedback(SERVICE, [{"card": str(uuid.uuid4()), "outcome": "overridden"}]).status_code == 200
    assert Feedback.objects.get().card is None


@pytest.mark.parametrize(
    "odd",
    [{"card": "\0"}, {"acceptedSuggestions": [{"id": "\0"}]}, {"overrideReason": {"reason": {"code": "\0"}}}],
    ids=str,
)
def test_feedback_that_no_database_can_keep_is_a_400(hospital: Ehr, odd: dict[str, Any]) -> None:
    said = {"card": str(uuid.uuid4()), "outcome": "overridden"}
    assert emr.send_feedback(SERVICE, [said | odd]).status_code == 400
    assert not Feedback.objects.exists()


def test_feedback_that_is_none_is_a_400(hospital: Ehr) -> None:
    assert emr.post(f"{emr.endpoint(SERVICE)}/feedback", {"feedback": [{"card": 1}]}).status_code == 400


def test_a_time_without_a_zone_is_a_400_and_nothing_of_that_message_is_kept(hospital: Ehr) -> None:
    (card,) = cards("ada")
    said = {"card": card["uuid"], "outcome": "overridden", "overrideReason": {"reason": {"code": "already-known"}}}
    times = ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00")
    body = {"feedback": [said | {"outcomeTimestamp": time} for time in times]}
    assert emr.post(f"{emr.endpoint(SERVICE)}/feedback", body).status_code == 400
    assert not Feedback.objects.exists()


def test_a_failed_call_is_counted_too(hospital: Ehr) -> None:
    post(request_body("ada") | {"hook": "order-sign"})
    assert HookCall.objects.get().status == 400
