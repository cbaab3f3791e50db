"""The kill switch: at once, with who and why, and with correct answers afterwards."""

from __future__ import annotations

import pytest
import requests

from cds import registry
from cds.errors import BadInput
from cds.models import Assessment, AuditEntry, Ehr, EnabledService
from cds.switch import known_services, switch_off
from smartapp.demo_ehr import hooks as emr

SERVICE = "diabetes-risk"
WHY = "Alerts on every chart since this morning"


def stop(ehr: Ehr, *services: str, reason: str = WHY) -> list[str]:
    return switch_off(ehr, services or known_services(ehr), by="root", actor="a", reason=reason)


def discovered(ehr: Ehr) -> set[str]:
    url = f"{emr.endpoint(SERVICE).rpartition('/')[0]}"
    answer = requests.get(url, headers={"Authorization": f"Bearer {emr.sign(url)}"}, timeout=30)
    assert answer.status_code == 200
    return {service["id"] for service in answer.json()["services"]}


def test_the_next_call_is_answered_without_cards_and_without_scoring(hospital: Ehr) -> None:
    body = emr.hook_request("ada", next(one for one in emr.services() if one["id"] == SERVICE))
    stop(hospital, SERVICE)  # the EHR has not read discovery again
    url = emr.endpoint(SERVICE)
    answer = requests.post(url, json=body, headers={"Authorization": f"Bearer {emr.sign(url)}"}, timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"cards": []})
    assert not Assessment.objects.exists()


def test_discovery_no_longer_offers_it_to_this_ehr(hospital: Ehr) -> None:
    assert SERVICE in discovered(hospital)
    stop(hospital, SERVICE)
    assert SERVICE not in discovered(hospital)


def test_everything_can_be_stopped_at_once(hospital: Ehr) -> None:
    EnabledService.objects.filter(ehr=hospital, service_id=SERVICE).delete()  # one that nobody has set up is silent
    assert set(stop(hospital)) == {service.id for service in registry.all_services()}
    assert discovered(hospital) == set()


def test_the_other_services_and_the_other_hospitals_go_on(hospital: Ehr) -> None:
    other = Ehr.objects.create(name="Other", fhir_base="https://other.example/fhir")
    EnabledService.objects.create(ehr=other, service_id=SERVICE, stage="live")
    stop(hospital, SERVICE)
    assert EnabledService.objects.get(ehr=other).stage == "live"


def test_who_and_why_are_kept_and_audited(hospital: Ehr) -> None:
    stop(hospital, SERVICE)
    row = EnabledService.objects.get(ehr=hospital, service_id=SERVICE)
    assert (row.stage, row.off_by, row.off_reason) == ("off", "root", WHY)
    entry = AuditEntry.objects.get(action="switch-off")
    assert (entry.actor, entry.subject, entry.detail["reason"]) == ("a", SERVICE, WHY)


def test_the_first_reason_stays(hospital: Ehr) -> None:
    stop(hospital, SERVICE)
    assert stop(hospital, SERVICE, reason="Somebody pressed it again") == []
    assert EnabledService.objects.get(ehr=hospital, service_id=SERVICE).off_reason == WHY


@pytest.mark.parametrize("reason", ["", "   ", "x", " a  b "])
def test_without_a_reason_nothing_is_stopped(hospital: Ehr, reason: str) -> None:
    with pytest.raises(BadInput):
        stop(hospital, SERVICE, reason=reason)
    assert EnabledService.objects.get(ehr=hospital, service_id=SERVICE).stage == "live"
