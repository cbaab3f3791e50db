"""At the hook's door: opted-out patients, restricted charts, and cards that a user is spared."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from cds.models import Assessment, AuditEntry, Ehr, EnabledService, IssuedCard, Suppression
from cds.opt_out import opt_out
from cds.system import system_client
from hooks.models import HookCall
from smartapp.demo_ehr import hooks as emr

SERVICE = "diabetes-risk"
RESTRICTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}


def body(patient: str) -> dict[str, Any]:
    service = next(one for one in emr.services() if one["id"] == SERVICE)
    return deepcopy(emr.hook_request(patient, service, authorized=False))  # the demo hospital's own resources else


def restricted_body(patient: str) -> dict[str, Any]:
    found = body(patient)
    found["prefetch"]["patient"]["meta"] = {"security": [RESTRICTED]}
    return found


def cards(sent: dict[str, Any]) -> list[dict[str, Any]]:
    answer = emr.post(emr.endpoint(SERVICE), sent)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["cards"]
    return found


# --- Opted out
def test_a_patient_who_opted_out_is_not_scored_and_not_stored_and_that_somebody_asked_is_audited(hospital: Ehr) -> None:
    opt_out(hospital, "ada", actor="a")
    assert cards(body("ada")) == []
    assert not Assessment.objects.exists()
    entry = AuditEntry.objects.get(action="hook")
    assert (entry.patient_key, entry.detail["answer"]) == (hospital.pseudonym("ada"), "opted-out")
    assert HookCall.objects.get().answer == "opted-out"


def test_the_record_of_a_patient_who_opted_out_is_not_even_read(hospital: Ehr) -> None:
    opt_out(hospital, "ada", actor="a")
    unreadable = body("ada") | {"prefetch": {"patient": {"resourceType": "Patient", "id": "somebody-else"}}}
    assert cards(unreadable) == []


# --- What this user may not see
def test_what_the_users_token_was_refused_our_own_access_never_fetches(hospital: Ehr) -> None:
    own = system_client(hospital, needed=["Condition.rs"])
    assert own.request_json("Condition?patient=ada")["total"]
    service = next(one for one in emr.services() if one["id"] == SERVICE)
    sent = emr.hook_request("ada", service, prefetch=False)
    granted = "patient/Patient.rs patient/Observation.rs"
    sent["fhirAuthorization"] |= {"access_token": emr.bearer("ada", granted), "scope": granted}
    answer = emr.post(emr.endpoint(SERVICE), sent)
    assert answer.status_code == 412
    assert "conditions" in answer.text
    assert not Assessment.objects.exists()


# --- Restricted charts
def test_a_restricted_chart_gets_a_card_that_says_nothing_of_it_and_nothing_is_stored(hospital: Ehr) -> None:
    (card,) = cards(restricted_body("ada"))
    assert "restricted" in card["summary"]
    assert not {"detail", "suggestions", "links"} & set(card)
    assert not Assessment.objects.exists()
    assert AuditEntry.objects.get(action="hook").detail["answer"] == "restricted"


def test_it_is_the_same_card_whatever_the_answer_would_have_been(hospital: Ehr) -> None:
    (high,), (low,) = cards(restricted_body("ada")), cards(restricted_body("bruno"))
    assert {**high, "uuid": ""} == {**low, "uuid": ""}


def test_where_the_hospital_allows_it_a_restricted_chart_is_answered(hospital: Ehr) -> None:
    Ehr.objects.update(restricted_in_hooks=True)
    assert cards(restricted_body("ada"))[0]["summary"] == cards(body("ada"))[0]["summary"]


# --- Protected entries, merged records
def test_a_protected_diagnosis_is_a_412_that_does_not_name_it(hospital: Ehr) -> None:
    sent = body("ada")
    condition = {"resourceType": "Condition", "id": "secret", "subject": {"reference": "Patient/ada"}}
    condition["meta"] = {"security": [RESTRICTED]}
    sent["prefetch"]["conditions"]["entry"] = [{"resource": condition}]
    answer = emr.post(emr.endpoint(SERVICE), sent)
    assert answer.status_code == 412
    assert "protected" in answer.text
    assert not [word for word in ("conditions", "Condition", "secret") if word in answer.text]


def test_a_label_that_the_hospital_allows_is_read(hospital: Ehr) -> None:
    Ehr.objects.update(labels_read="V")
    sent = body("ada")
    entries = sent["prefetch"]["glucose"]["entry"]
    for entry in entries:
        entry["resource"]["meta"] = {"security": [RESTRICTED]}
    assert "Glucose 121 mg/dL" in cards(sent)[0]["detail"]


def test_a_protected_optional_entry_is_not_used_and_the_card_says_so_in_general(hospital: Ehr) -> None:
    sent = body("ada")
    sent["prefetch"]["encounters"]["entry"] = [
        {"resource": {"resourceType": "Encounter", "id": "secret", "meta": {"security": [RESTRICTED]}}}
    ]
    (card,) = cards(sent)
    assert "part of it is protected and was not used" in card["detail"]
    assert "secret" not in card["detail"]


def test_a_merged_record_is_a_409_that_says_so(hospital: Ehr) -> None:
    sent = body("ada")
    sent["prefetch"]["patient"]["link"] = [{"type": "replaced-by", "other": {"reference": "Patient/dara"}}]
    answer = emr.post(emr.endpoint(SERVICE), sent)
    assert answer.status_code == 409
    assert "merged into another" in answer.text


# --- Spared
@pytest.fixture
def cool_down(hospital: Ehr) -> Ehr:
    EnabledService.objects.update(cool_down_hours=8)
    return hospital


def test_the_second_look_on_the_same_day_shows_no_card_and_is_counted(cool_down: Ehr) -> None:
    assert len(cards(body("ada"))) == 1
    assert cards(body("ada")) == []
    assert Suppression.objects.get().reason == "cool-down"
    first, second = HookCall.objects.order_by("pk")
    assert (first.cards, first.suppressed) == (1, 0)
    assert (second.cards, second.suppressed) == (0, 1)


def test_an_issued_card_remembers_to_whom_but_by_a_hash_only(cool_down: Ehr) -> None:
    sent = body("ada")
    cards(sent)
    assert IssuedCard.objects.get().user_key == cool_down.pseudonym(sent["context"]["userId"])


def test_an_override_with_a_reason_silences_the_card_and_nothing_else(hospital: Ehr) -> None:
    (card,) = cards(body("ada"))
    override = {"reason": {"code": "patient-declined", "system": "x"}}
    emr.send_feedback(SERVICE, [{"card": card["uuid"], "outcome": "overridden", "overrideReason": override}])
    assert cards(body("ada")) == []
    assert Suppression.objects.get().reason == "snooze"
    assert len(cards(body("chen"))) == 1
