"""Two services on three hooks, from outside: a prescription of metformin meets the kidneys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from cds import registry
from cds.models import Assessment, Ehr, EnabledService, Feedback
from hooks.models import HookCall
from smartapp.demo_ehr import addresses
from smartapp.demo_ehr import hooks as emr
from smartapp.demo_ehr.prescribing import draft_of

SERVICE = "metformin-renal"
HOOKS = ["order-select", "order-sign"]
ALL = [(service.id, hook) for service in registry.all_services() for hook in service.hooks]


def request_body(patient: str, *, hook: str = "order-sign", draft: dict[str, Any] | None = None, **options: Any) -> Any:
    (service,) = emr.services(hook)
    return emr.hook_request(patient, service, orders=[draft or draft_of(patient)], **options)


def post(body: Any, service: str = SERVICE) -> requests.Response:
    return emr.post(emr.endpoint(service), body)


def cards(body: Any) -> list[dict[str, Any]]:
    answer = post(body)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["cards"]
    return found


def without(body: Any, name: str) -> Any:
    return body | {"context": {key: value for key, value in body["context"].items() if key != name}}


# --- Discovery ---------------------------------------------------------------------------------------------------
def offered(*, signed: bool = True) -> list[tuple[str, str]]:
    answer = emr.discover() if signed else requests.get(addresses.app("/cds-services"), timeout=30)
    assert answer.status_code == 200
    return [(service["id"], service["hook"]) for service in answer.json()["services"]]


def test_one_service_stands_in_discovery_once_for_each_hook(hospital: Ehr) -> None:
    assert offered() == ALL
    assert {("metformin-renal", "order-sign"), ("metformin-renal", "order-select")} < set(ALL)


def test_who_does_not_sign_sees_all_there_is(hospital: Ehr) -> None:
    EnabledService.objects.update(stage=EnabledService.Stage.OFF)
    assert offered(signed=False) == ALL


def test_a_known_ehr_sees_what_is_on_for_it(hospital: Ehr) -> None:
    EnabledService.objects.filter(service_id=SERVICE).update(stage=EnabledService.Stage.OFF)
    assert offered() == [one for one in ALL if one[0] != SERVICE]


def test_where_discovery_is_closed_who_does_not_sign_sees_nothing(hospital: Ehr, settings: Any) -> None:
    settings.OPEN_DISCOVERY = False
    answer = requests.get(addresses.app("/cds-services"), timeout=30)
    assert (answer.status_code, answer.content) == (401, b"")
    assert offered() == ALL


def test_a_bad_signature_is_no_stranger_but_an_impostor(hospital: Ehr) -> None:
    url = addresses.app("/cds-services")
    token = emr.sign(emr.endpoint(SERVICE))  # for another address
    assert requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code == 401


def test_an_answer_for_one_ehr_is_not_cached_for_another(hospital: Ehr) -> None:
    headers = emr.discover().headers
    assert headers["Cache-Control"].startswith("private")
    assert "Authorization" in headers["Vary"]


def test_versions_are_said_to_an_ehr_of_3_0_only(hospital: Ehr) -> None:
    assert not any({"version", "hookVersion"} & set(service) for service in emr.services("order-sign"))
    Ehr.objects.update(hooks_version=Ehr.HooksVersion.V3_0)
    (service,) = emr.services("order-sign")
    assert (service["version"], service["hookVersion"]) == ("3.0.0-ballot", "1.0")


# --- The prescription --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("hook", HOOKS)
def test_dara_who_takes_metformin_is_to_be_reassessed(hospital: Ehr, hook: str) -> None:
    (card,) = cards(request_body("dara", hook=hook))
    assert card["summary"].startswith("Taking metformin with eGFR 38 mL/min/1.73 m²")
    assert card["indicator"] == "info"
    assert "suggestions" not in card
    assert "selectionBehavior" not in card


def test_dara_who_would_start_is_advised_against_it(hospital: Ehr) -> None:
    body = request_body("dara", authorized=False)
    body["prefetch"]["medications"] = None
    (card,) = cards(body)
    assert card["summary"].startswith("Starting metformin is not recommended")
    assert card["indicator"] == "warning"


def test_bruno_without_a_kidney_value_is_to_have_one_first(hospital: Ehr) -> None:
    (card,) = cards(request_body("bruno"))
    assert "Obtain one before starting metformin" in card["summary"]


def test_another_drug_gets_no_card(hospital: Ehr) -> None:
    aspirin = draft_of("dara") | {"medicationCodeableConcept": {"text": "Aspirin 100 mg"}}
    assert cards(request_body("dara", draft=aspirin)) == []
    assert Assessment.objects.get().outcome is not None


def test_only_what_was_selected_is_looked_at(hospital: Ehr) -> None:
    body = request_body("dara", hook="order-select")
    aspirin = draft_of("dara") | {"id": "aspirin", "medicationCodeableConcept": {"text": "Aspirin 100 mg"}}
    body["context"]["draftOrders"]["entry"].append({"resource": aspirin})
    body["context"]["selections"] = ["MedicationRequest/aspirin"]
    assert cards(body) == []


@pytest.mark.parametrize("selected", ["dara-draft", "MedicationRequest/other"])
def test_a_selection_of_what_is_not_there_silences_nothing(hospital: Ehr, selected: str) -> None:
    body = request_body("dara", hook="order-select")
    body["context"]["selections"] = [selected]
    assert len(cards(body)) == 1


def test_a_newer_kidney_value_that_is_not_final_is_said(hospital: Ehr) -> None:
    newest = {
        "resourceType": "Observation",
        "id": "newer",
        "status": "preliminary",
        "code": {"coding": [{"system": "http://loinc.org", "code": "98979-8"}]},
        "subject": {"reference": "Patient/dara"},
        "effectiveDateTime": datetime.now(UTC).isoformat(),
    }
    body = request_body("dara")
    body["prefetch"]["kidneys"]["entry"].append({"resource": newest})
    (card,) = cards(body)
    assert "status preliminary" in card["detail"]


def test_what_was_not_prefetched_is_fetched(hospital: Ehr) -> None:
    (card,) = cards(request_body("dara", prefetch=False))
    assert "eGFR 38" in card["summary"]


def test_without_kidney_values_and_without_a_token_the_answer_is_412(hospital: Ehr) -> None:
    body = request_body("dara", authorized=False)
    del body["prefetch"]["kidneys"]
    answer = post(body)
    assert answer.status_code == 412
    assert "kidneys" in answer.json()["issue"][0]["diagnostics"]


def test_the_draft_of_another_patient_is_refused_and_said(hospital: Ehr) -> None:
    (card,) = cards(request_body("dara", draft=draft_of("bruno")))
    assert "could not be read" in card["summary"]
    assert "belongs to another patient" in card["detail"]


@pytest.mark.parametrize(("hook", "field"), [("order-sign", "draftOrders"), ("order-select", "selections")])
def test_a_hook_without_its_context_is_a_400_that_names_the_field(hospital: Ehr, hook: str, field: str) -> None:
    answer = post(without(request_body("dara", hook=hook), field))
    assert answer.status_code == 400
    assert f"context.{field} is missing" in answer.json()["issue"][0]["diagnostics"]


def test_unsigned_orders_that_are_no_bundle_are_a_400(hospital: Ehr) -> None:
    body = request_body("dara")
    body["context"]["draftOrders"] = draft_of("dara")
    answer = post(body)
    assert answer.status_code == 400
    assert "not a Bundle" in answer.json()["issue"][0]["diagnostics"]


def test_a_call_without_a_user_is_refused_where_the_hook_has_one(hospital: Ehr) -> None:
    assert post(without(request_body("dara"), "userId")).status_code == 400


# --- What is kept ------------------------------------------------------------------------------------------------
def test_the_hook_of_each_call_is_counted(hospital: Ehr) -> None:
    for hook in HOOKS:
        cards(request_body("dara", hook=hook))
    assert list(HookCall.objects.order_by("pk").values_list("service_id", "hook")) == [
        (SERVICE, hook) for hook in HOOKS
    ]


def test_the_card_links_to_its_own_assessment(hospital: Ehr) -> None:
    (card,) = cards(request_body("dara"))
    (link,) = card["links"]  # no model spoke
    assert (link["type"], link["appContext"]) == ("smart", f"assessment={Assessment.objects.get().pk}")


def test_an_override_is_joined_to_its_card_and_rule(hospital: Ehr) -> None:
    (card,) = cards(request_body("dara"))
    reason = {name: card["overrideReasons"][0][name] for name in ("code", "system")}
    emr.send_feedback(SERVICE, [{"card": card["uuid"], "outcome": "overridden", "overrideReason": {"reason": reason}}])
    feedback = Feedback.objects.get()
    assert feedback.reason == "benefit-outweighs"
    assert feedback.card is not None
    assert (feedback.card.summary_kind, feedback.card.assessment.service_id) == ("reassess", SERVICE)


def test_nothing_in_any_answer_is_null_or_empty(hospital: Ehr) -> None:
    def check(value: Any, path: str) -> None:
        assert value not in (None, "", {}), path
        if isinstance(value, list | dict):
            assert value, path
            items = enumerate(value) if isinstance(value, list) else value.items()
            for key, inner in items:
                assert key != "actionSelectionBehavior"
                check(inner, f"{path}.{key}")

    check(emr.discover().json(), "discovery")
    check(post(request_body("dara")).json(), "metformin-renal")
    check(post(emr.hook_request("ada", emr.services()[0]), "diabetes-risk").json(), "diabetes-risk")
