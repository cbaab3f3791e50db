"""Every refusal is on the audit trail: from where, why, and nothing of what was sent."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import requests
from django.conf import settings

from cds.models import AuditEntry, Ehr
from smartapp.demo_ehr import hooks as emr

SERVICE = "diabetes-risk"


def attack(**changed: Any) -> requests.Response:
    """A well signed call with something wrong in it."""
    body = emr.hook_request("bruno", emr.services()[0]) | changed
    return emr.post(emr.endpoint(SERVICE), body)


def refusal() -> AuditEntry:
    return AuditEntry.objects.get(action="refusal")


def test_a_refused_token_is_noted_with_reason_and_address(hospital: Ehr) -> None:
    url = emr.endpoint(SERVICE)
    token = emr.sign("https://else.example")
    assert emr.post(url, {}, jwt=token).status_code == 401
    entry = refusal()
    assert entry.detail == {"status": 401, "reason": "another audience"}
    assert (entry.actor, entry.address, entry.subject) == ("unknown", "127.0.0.1", f"hook {SERVICE}")
    assert token not in json.dumps(entry.detail)


def test_a_replay_is_noted(hospital: Ehr) -> None:
    url = emr.endpoint(SERVICE)
    token, body = emr.sign(url), emr.hook_request("bruno", emr.services()[0])
    assert [emr.post(url, body, jwt=token).status_code for _ in range(2)] == [200, 401]
    assert refusal().detail["reason"] == "jti was used before"


def test_a_refused_feedback_is_noted(hospital: Ehr) -> None:
    assert requests.post(f"{emr.endpoint(SERVICE)}/feedback", json={}, timeout=10).status_code == 401
    assert refusal().detail["reason"] == "no bearer token"


@pytest.mark.parametrize(
    "patient_id",
    [
        "../../Practitioner/1",
        "1' OR '1'='1",
        "ada?_include=*",
        "ada/../bruno",
        "ada%2f..%2f",
        "ada&patient=bruno",
        "<script>alert(1)</script>",
        "${jndi:ldap://x}",
        "ada\r\nX-Header: 1",
        "\u202eada",
        "a" * 65,
    ],
)
def test_an_injection_into_the_patients_id_is_refused_and_noted(
    hospital: Ehr, patient_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = attack(context={"userId": "Practitioner/1", "patientId": patient_id})
    assert answer.status_code == 400
    assert refusal().actor == f"EHR {hospital.pk}"
    assert patient_id not in caplog.text + answer.text + json.dumps(refusal().detail)


@pytest.mark.parametrize(
    "server",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:6379/",
        "file:///etc/passwd",
        "https://evil.example/fhir",
    ],
)
def test_a_fhir_server_that_is_not_registered_is_not_contacted_and_noted(hospital: Ehr, server: str) -> None:
    assert attack(fhirServer=server).status_code == 400
    assert "fhirServer" in str(refusal().detail["reason"])
    assert "169" not in str(refusal().detail)


def test_a_fhir_server_with_a_user_name_in_it_is_refused(hospital: Ehr) -> None:
    base = hospital.fhir_base.replace("://", "://somebody:secret@")
    assert attack(fhirServer=base).status_code == 400
    assert "secret" not in str(refusal().detail)


def test_a_token_for_another_patient_is_refused_and_noted(hospital: Ehr) -> None:
    body = emr.hook_request("bruno", emr.services()[0])
    other = body["context"] | {"patientId": "ada"}
    assert attack(context=other).status_code == 400
    assert "another patient" in str(refusal().detail["reason"])


def test_an_oversized_body_is_refused_and_noted(hospital: Ehr) -> None:
    padding = "x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    assert attack(extension={"padding": padding}).status_code == 413
    assert refusal().detail["status"] == 413


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"hook": NaN}', b"null", b"7"])
def test_what_is_no_json_object_is_refused_and_noted(hospital: Ehr, body: bytes) -> None:
    url = emr.endpoint(SERVICE)
    headers = {"Authorization": f"Bearer {emr.sign(url)}", "Content-Type": "application/json"}
    assert requests.post(url, data=body, headers=headers, timeout=10).status_code == 400
    assert refusal().detail["status"] == 400


def test_a_made_up_service_is_not_repeated_on_the_trail(hospital: Ehr) -> None:
    url = emr.endpoint("Robert%22%3B%20DROP%20TABLE")
    assert requests.post(url, json={}, timeout=10).status_code == 401
    assert refusal().subject == "hook unknown service"


def test_an_answered_call_is_no_refusal_but_is_noted_with_its_address(hospital: Ehr) -> None:
    assert attack().status_code == 200
    assert not AuditEntry.objects.filter(action="refusal").exists()
    assert AuditEntry.objects.get(action="hook").address == "127.0.0.1"
