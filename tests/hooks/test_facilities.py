"""At the hook's door: one facility of an EHR has a threshold of its own, or no service, and the others have not."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from cds.models import Assessment, AtFacility, AuditEntry, Ehr, EnabledService
from hooks.models import HookCall
from smartapp.demo_ehr import hooks as emr
from smartapp.demo_ehr.prescribing import draft_of

SERVICE = "diabetes-risk"
NORTHGATE = "Organization/northgate"  # where the demo hospital's encounters happen


def at(ehr: Ehr, reference: str = NORTHGATE, *, service: str = SERVICE, **settings: Any) -> None:
    here = EnabledService.objects.get(ehr=ehr, service_id=service)
    AtFacility.objects.create(here=here, name="Somewhere", reference=reference, **settings)
    EnabledService.objects.filter(pk=here.pk).update(by_facility=True)


def call(patient: str = "ada", **changed: Any) -> list[dict[str, Any]]:
    answer = emr.call_hook(patient, SERVICE, **changed)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["cards"]
    return found


def threshold() -> float:
    return Assessment.objects.get().threshold


def test_its_own_threshold_decides_there(hospital: Ehr) -> None:
    at(hospital, threshold=0.97)
    call()
    assert threshold() == 0.97


def test_a_risk_below_its_threshold_raises_no_card_there(hospital: Ehr) -> None:
    assert call()
    at(hospital, threshold=0.97)
    assert call() == []


def test_in_the_other_facilities_all_is_as_before(hospital: Ehr) -> None:
    at(hospital, "Organization/southgate", threshold=0.97, off=True)
    assert call()
    assert threshold() == 0.1


def test_switched_off_there_nothing_is_scored_and_that_somebody_asked_is_audited(hospital: Ehr) -> None:
    at(hospital, off=True)
    assert call() == []
    assert not Assessment.objects.exists()
    assert HookCall.objects.get().answer == "off"
    assert AuditEntry.objects.get(action="hook").detail["answer"] == "off"


def test_a_ward_comes_before_its_hospital_and_a_switch_before_all(hospital: Ehr) -> None:
    at(hospital, threshold=0.5)
    at(hospital, "Location/north-ward", threshold=0.97)
    call(prefetch=in_ward("active"))
    assert threshold() == 0.97
    AtFacility.objects.filter(reference=NORTHGATE).update(off=True)
    assert call(prefetch=in_ward("active")) == []


def test_where_the_patient_was_before_does_not_count(hospital: Ehr) -> None:
    at(hospital, "Location/north-ward", threshold=0.97)
    call(prefetch=in_ward("completed"))
    assert threshold() == 0.1


def in_ward(status: str) -> dict[str, Any]:
    service = next(one for one in emr.services() if one["id"] == SERVICE)
    prefetch: dict[str, Any] = deepcopy(emr.hook_request("ada", service)["prefetch"])
    for entry in prefetch["encounters"]["entry"]:
        entry["resource"]["location"] = [{"location": {"reference": "Location/north-ward"}, "status": status}]
    return prefetch


def test_who_cannot_be_placed_is_in_the_ehr_as_a_whole(hospital: Ehr) -> None:
    at(hospital, threshold=0.97)
    service = next(one for one in emr.services() if one["id"] == SERVICE)
    sent = emr.hook_request("ada", service)
    del sent["context"]["encounterId"]
    assert emr.post(emr.endpoint(SERVICE), sent).json()["cards"]
    assert threshold() == 0.1


# --- A service that does not read encounters by itself ---------------------------------------------------------------
def metformin() -> dict[str, Any]:
    return next(one for one in emr.services(emr.ORDER_SIGN) if one["id"] == "metformin-renal")


def prescribe(prefetch: bool | dict[str, Any]) -> Any:
    orders = [draft_of("bruno")]
    return emr.call_hook("bruno", "metformin-renal", hook=emr.ORDER_SIGN, orders=orders, prefetch=prefetch)


def test_discovery_asks_for_the_encounter_only_where_facilities_differ(hospital: Ehr) -> None:
    assert "encounter" not in metformin()["prefetch"]
    at(hospital, service="metformin-renal")
    template = "Encounter?patient={{context.patientId}}&_id={{context.encounterId}}"
    assert metformin()["prefetch"]["encounter"] == template


@pytest.mark.parametrize(("prefetch", "state"), [(True, "hit"), ({}, "miss")])
def test_prefetched_or_fetched_the_encounter_places_the_call(
    hospital: Ehr, prefetch: bool | dict[str, Any], state: str
) -> None:
    at(hospital, service="metformin-renal", off=True)
    answer = prescribe(prefetch)
    assert answer.json()["cards"] == []
    call = HookCall.objects.get()
    assert (call.answer, call.prefetch["encounter"]) == ("off", state)


def test_an_encounter_that_cannot_be_read_leaves_the_answer_of_the_whole_ehr(hospital: Ehr) -> None:
    at(hospital, service="metformin-renal", off=True)
    sent = emr.hook_request("bruno", metformin(), authorized=False, orders=[draft_of("bruno")])
    sent["prefetch"]["encounter"] = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
    answer = emr.post(emr.endpoint("metformin-renal"), sent)
    assert answer.json()["cards"]
    assert HookCall.objects.get().prefetch["encounter"] == "invalid"


def test_a_switch_of_this_service_is_none_of_another(hospital: Ehr) -> None:
    at(hospital, service="metformin-renal", off=True)
    assert call()
