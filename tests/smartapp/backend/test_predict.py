"""POST /api/predict: one patient's values or Bundle, answered by the same rules as a hook; what is wrong is named."""

from __future__ import annotations

import json
import logging
import math
from typing import Any

import pytest
from pytest_django import Settings

from cds.models import Assessment, AuditEntry, Ehr, EnabledService
from cds.opt_out import opt_out
from cds.writeback.retract import retract_for_safety
from smartapp.backend.models import AccessToken, ApiCall
from smartapp.backend.scopes import SCORE_BATCH
from smartapp.demo_ehr.cast import read_cast
from tests.smartapp.backend.outside import Outside

pytestmark = pytest.mark.django_db(transaction=True)

ADA: dict[str, Any] = {
    "patient": {"age": 61, "sex": "female"},
    "values": [
        {"name": "bmi", "value": 33.1, "unit": "kg/m2"},
        {"name": "glucose", "value": 7.1, "unit": "mmol/L"},
        {"name": "systolic", "value": 148, "unit": "mm[Hg]"},
        {"name": "diastolic", "value": 88, "unit": "mm[Hg]"},
    ],
}


@pytest.fixture
def outside(worker: None, outside: Outside, settings: Settings) -> Outside:
    settings.PREDICT_WAIT_SECONDS = 60  # no test depends on how fast this machine is today
    return outside


def bundle(patient_id: str, *more: dict[str, Any]) -> dict[str, Any]:
    """All that the demo hospital has on this patient."""
    mine = [one for one in read_cast() if _owner(one) == f"Patient/{patient_id}"]
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in (*mine, *more)]}


def _owner(resource: dict[str, Any]) -> str:
    if resource["resourceType"] == "Patient":
        return f"Patient/{resource['id']}"
    return str((resource.get("subject") or resource.get("patient") or {}).get("reference"))


def ask(outside: Outside, asked: Any, *, query: str = "", kind: str = "application/json", headers: Any = None) -> Any:
    content = asked if isinstance(asked, bytes) else json.dumps(asked)
    headers = outside.signed() if headers is None else headers
    return outside.web.post(f"/api/predict{query}", content, content_type=kind, headers=headers)


def without(asked: dict[str, Any], *names: str) -> dict[str, Any]:
    patient = {name: value for name, value in asked["patient"].items() if name not in names}
    return {"patient": patient, "values": [value for value in asked["values"] if value["name"] not in names]}


def issues(answer: Any, status: int = 400) -> list[dict[str, Any]]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/fhir+json"
    said = answer.json()
    assert said["resourceType"] == "OperationOutcome"
    return list(said["issue"])


# --- What is answered ----------------------------------------------------------------------------------------------
def test_values_are_answered_with_a_risk_said_twice_and_explained(outside: Outside) -> None:
    answer = ask(outside, ADA)
    assert answer.status_code == 200, answer.content
    said = answer.json()
    assert said["outcome"] == "finding"
    assert said["risk"]["percent"] == pytest.approx(100 * said["risk"]["fraction"])
    assert said["risk"]["level"] in {"low", "moderate", "high"}
    why = said["explanation"]
    total = why["baseLogOdds"] + sum(factor["logOdds"] for factor in why["factors"])
    assert total == pytest.approx(why["totalLogOdds"], abs=1e-3)
    assert 1 / (1 + math.exp(-why["totalLogOdds"])) == pytest.approx(said["risk"]["fraction"], abs=1e-5)
    glucose = next(factor for factor in why["factors"] if factor["name"] == "glucose")
    assert (glucose["value"], glucose["unit"]) == (pytest.approx(7.1 * 18.0156), "mg/dL")
    assert glucose["date"]


@pytest.mark.parametrize(
    ("patient_id", "outcome", "rule"),
    [
        ("ada", "finding", "model-high"),
        ("bruno", "finding", "model-low"),
        ("dara", "not-applicable", "diagnosed"),
        ("emil", "not-applicable", "child"),
        ("farah", "finding", "prediabetes"),
    ],
)
def test_a_bundle_is_answered_as_a_hook_would_be(outside: Outside, patient_id: str, outcome: str, rule: str) -> None:
    answer = ask(outside, bundle(patient_id), kind="application/fhir+json")
    assert answer.status_code == 200, answer.content
    said = answer.json()
    assert (said["outcome"], said["rule"]) == (outcome, rule)
    assert said["sentence"]


def test_the_answer_is_kept_like_any_other_and_audited(outside: Outside, ehr: Ehr) -> None:
    said = ask(outside, bundle("ada")).json()
    kept = Assessment.objects.get(pk=said["assessment"])
    assert kept.patient_key == ehr.pseudonym("ada")
    noted = AuditEntry.objects.get(action="predict-call")
    assert (noted.actor, noted.subject) == (outside.row.actor, str(kept.pk))
    assert noted.patient_key == ehr.pseudonym("ada")


def test_the_same_question_has_one_answer(outside: Outside) -> None:
    first, second = ask(outside, ADA).json(), ask(outside, ADA).json()
    assert first["assessment"] == second["assessment"]


def test_another_service_is_asked_by_name(outside: Outside) -> None:
    said = ask(outside, bundle("ada"), query="?service=metformin-renal").json()
    assert said["service"] == "metformin-renal"
    assert said["risk"] is None


def test_who_said_no_is_not_scored(outside: Outside, ehr: Ehr) -> None:
    opt_out(ehr, "ada", actor="us")
    said = ask(outside, bundle("ada")).json()
    assert (said["outcome"], said["risk"]) == ("opted-out", None)
    assert not Assessment.objects.exists()


def test_what_was_retracted_is_not_given_again(outside: Outside) -> None:
    kept = Assessment.objects.get(pk=ask(outside, ADA).json()["assessment"])
    retract_for_safety(kept, by="Sofia", why="the laboratory recalled its values")
    said = ask(outside, ADA).json()
    assert (said["outcome"], said["risk"], said["explanation"], said["alert"]) == ("retracted", None, None, False)
    assert "the laboratory recalled its values" in said["sentence"]
    assert said["assessment"] == str(kept.pk)
    assert AuditEntry.objects.filter(action="predict-call").latest("pk").detail["answer"] == "retracted"


# --- What is refused, and how it is said ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        (("age",), ["age"]),
        (("sex",), ["sex"]),
        (("bmi", "glucose"), ["BMI"]),
        (("age", "sex", "bmi", "glucose"), ["age", "sex", "BMI"]),
    ],
)
def test_key_values_that_are_missing_are_named(outside: Outside, lacking: tuple[str, ...], named: list[str]) -> None:
    found = issues(ask(outside, without(ADA, *lacking)))
    assert [issue["code"] for issue in found] == ["required"] * len(named)
    assert all(name in issue["diagnostics"] for name, issue in zip(named, found, strict=True))
    assert not Assessment.objects.exists()


@pytest.mark.parametrize("enough", ["bmi", "glucose"])
def test_either_of_bmi_and_glucose_will_do(outside: Outside, enough: str) -> None:
    other = {"bmi": "glucose", "glucose": "bmi"}[enough]
    assert ask(outside, without(ADA, other)).status_code == 200


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"name": "bmi", "value": 33, "unit": "stone"}, "unit"),
        ({"name": "bmi", "value": 33, "unit": ""}, "no unit"),
        ({"name": "bmi", "value": 330, "unit": "kg/m2"}, "implausible"),
        ({"name": "hba1c", "value": 5.2, "unit": "%", "date": "2999-01-01"}, "future"),
        ({"name": "hba1c", "value": 5.2, "unit": "%", "date": "yesterday"}, "date"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_place(
    outside: Outside, value: dict[str, Any], reason: str
) -> None:
    (found,) = issues(ask(outside, {**ADA, "values": [*ADA["values"], value]}))
    assert reason in found["diagnostics"]
    assert found["expression"] == ["$.values[4]"]


def test_a_value_that_nobody_knows_is_named_and_the_known_ones_are_listed(outside: Outside) -> None:
    (found,) = issues(ask(outside, {**ADA, "values": [{"name": "mood", "value": 1, "unit": "1"}]}))
    assert "glucose" in found["diagnostics"]
    assert "mood" not in found["diagnostics"]
    assert found["expression"] == ["$.values[0].name"]


@pytest.mark.parametrize(
    "asked",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"resourceType": 7}',
        b'{"resourceType": "Patient"}',
        b'{"resourceType": "Bundle"}',
        b'{"resourceType": "Bundle", "entry": 7}',
        b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "id": "a/b"}}]}',
        b'{"patient": {"age": -1}}',
        b'{"patient": {"age": 61.5}}',
        b'{"patient": {"id": "../x"}}',
        b'{"values": [{"name": "bmi", "value": "33", "unit": "kg/m2"}]}',
        b'{"values": [{"name": "bmi", "value": 1e999, "unit": "kg/m2"}]}',
    ],
    ids=lambda asked: repr(asked[:40]),
)
def test_what_is_no_question_is_400(outside: Outside, asked: bytes) -> None:
    assert issues(ask(outside, asked))


def test_two_patients_in_a_bundle_are_refused(outside: Outside) -> None:
    bruno = next(one for one in read_cast() if one["resourceType"] == "Patient" and one["id"] == "bruno")
    (found,) = issues(ask(outside, bundle("ada", bruno)))
    assert "exactly one Patient" in found["diagnostics"]


def test_a_restricted_chart_is_for_people_only(outside: Outside, ehr: Ehr) -> None:
    ehr.restricted_in_hooks = False
    ehr.save()
    asked = bundle("ada")
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}
    next(e["resource"] for e in asked["entry"] if e["resource"]["resourceType"] == "Patient")["meta"] = {
        "security": [label]
    }
    assert issues(ask(outside, asked), status=403)
    assert not Assessment.objects.exists()


@pytest.mark.parametrize(("stage", "status"), [("off", 404), ("silent", 403), ("canary", 200), ("live", 200)])
def test_only_what_is_shown_at_the_hospital_is_shown_to_callers(outside: Outside, stage: str, status: int) -> None:
    EnabledService.objects.update(stage=stage)
    assert ask(outside, ADA).status_code == status


@pytest.mark.parametrize("query", ["?servise=hypertension-risk", "?service=diabetes-risk&service=hypertension-risk"])
def test_a_parameter_that_would_be_ignored_is_refused(outside: Outside, query: str) -> None:
    (issue,) = issues(ask(outside, ADA, query=query))
    assert issue["code"] == "not-supported"


def test_no_such_service_is_404(outside: Outside) -> None:
    assert issues(ask(outside, ADA, query="?service=crystal-ball"), status=404)


# --- Whose call it is ----------------------------------------------------------------------------------------------
def test_without_a_token_the_answer_says_what_is_needed(outside: Outside) -> None:
    answer = ask(outside, ADA, headers={})
    assert issues(answer, status=401)
    assert answer["WWW-Authenticate"] == 'Bearer realm="bedside"'


@pytest.mark.parametrize("token", ["x", "é", "a" * 5000, "\0"], ids=lambda token: token[:2])
def test_a_token_that_is_none_of_ours_is_invalid(outside: Outside, token: str) -> None:
    answer = ask(outside, ADA, headers={"Authorization": f"Bearer {token}"})
    assert issues(answer, status=401)
    assert 'error="invalid_token"' in answer["WWW-Authenticate"]


def test_a_token_ends(outside: Outside) -> None:
    signed = outside.signed()
    AccessToken.objects.update(expires_at="2026-01-01T00:00:00Z")
    answer = ask(outside, ADA, headers=signed)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer["WWW-Authenticate"]


def test_a_token_ends_with_its_caller(outside: Outside) -> None:
    signed = outside.signed()
    outside.row.active = False
    outside.row.save()
    assert ask(outside, ADA, headers=signed).status_code == 401


def test_a_token_for_something_else_does_not_open_this(outside: Outside) -> None:
    outside.row.scopes += f" {SCORE_BATCH}"
    outside.row.save()
    answer = ask(outside, ADA, headers=outside.signed(SCORE_BATCH))
    assert issues(answer, status=403)
    assert 'error="insufficient_scope", scope="https://bedside.dev/scopes/predict"' in answer["WWW-Authenticate"]


def test_too_many_calls_are_told_to_wait(outside: Outside) -> None:
    outside.row.calls_per_minute = 0
    outside.row.save()
    answer = ask(outside, ADA)
    assert issues(answer, status=429)
    assert 0 < int(answer["Retry-After"]) <= 60


def test_another_method_is_said_to_be_none(outside: Outside) -> None:
    answer = outside.web.get("/api/predict", headers=outside.signed())
    assert issues(answer, status=405)
    assert "POST" in answer["Allow"]


def test_another_media_type_is_415(outside: Outside) -> None:
    assert issues(ask(outside, b"<x/>", kind="application/xml"), status=415)


def test_a_body_that_is_too_long_is_413(outside: Outside, settings: Settings) -> None:
    signed = outside.signed()
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    assert issues(ask(outside, ADA, headers=signed), status=413)


def test_calls_are_counted_and_refusals_audited(outside: Outside) -> None:
    ask(outside, ADA)
    ask(outside, b"{")
    assert list(ApiCall.objects.order_by("pk").values_list("operation", "status")) == [
        ("predict", 200),
        ("predict", 400),
    ]
    noted = AuditEntry.objects.get(action="refusal")
    assert (noted.actor, noted.subject, noted.detail["status"]) == (outside.row.actor, "predict", 400)


def test_no_log_names_a_patient_or_a_value(outside: Outside, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    asked = {**ADA, "patient": {**ADA["patient"], "id": "pat-4711"}}
    wrong = {**asked, "values": [{"name": "bmi", "value": 777.125, "unit": "kg/m2"}]}
    for one in (asked, wrong):
        ask(outside, one)
    assert "pat-4711" not in caplog.text
    assert "777.125" not in caplog.text
    assert "777" not in str(list(AuditEntry.objects.values_list("detail", flat=True)))


def test_no_answer_may_be_kept_on_the_way(outside: Outside) -> None:
    assert ask(outside, ADA)["Cache-Control"] == "no-store"
