"""System actions: off unless two people have agreed to them; then the EHR files what is kept, once for each answer."""

from __future__ import annotations

from typing import Any

import pytest

from cds.fhir.write import require_valid
from cds.models import AuditEntry, Ehr, EnabledService
from hooks.conformance.shapes import faults_in_answer
from smartapp.demo_ehr import decisions
from smartapp.demo_ehr import hooks as emr
from smartapp.demo_ehr.store import chart_store
from tests.at_once import at_once

SERVICE = "diabetes-risk"
Policy, Stage = EnabledService.WriteBackPolicy, EnabledService.Stage


@pytest.fixture
def agreed(hospital: Ehr) -> Ehr:
    EnabledService.objects.filter(service_id=SERVICE).update(write_back=Policy.HOOK)
    return hospital


def answer(patient: str = "ada") -> dict[str, Any]:
    found: dict[str, Any] = emr.call_hook(patient, SERVICE).json()
    return found


@pytest.mark.parametrize("policy", [Policy.OFF, Policy.SUGGEST, Policy.AUTO])
def test_unless_it_was_agreed_there_is_none(hospital: Ehr, policy: str) -> None:
    EnabledService.objects.update(write_back=policy)
    assert answer().keys() == {"cards"}


def test_what_the_ehr_is_to_file_is_valid_preliminary_and_names_its_author(agreed: Ehr) -> None:
    found = answer()
    assert list(faults_in_answer(found)) == []
    resources = [action["resource"] for action in found["systemActions"]]
    assert {one["resourceType"] for one in resources} == {"Observation", "RiskAssessment"}
    for resource in resources:
        require_valid(resource)
        assert resource["status"] == "preliminary"
        assert resource["subject"]["reference"] == "Patient/ada"
        assert [inside["resourceType"] for inside in resource["contained"]] == ["Device"]
        assert "urn:uuid" not in str(resource)  # what it refers to must stand somewhere


def test_the_same_answer_is_handed_over_once_and_that_is_audited(agreed: Ehr) -> None:
    assert "systemActions" in answer()
    assert "systemActions" not in answer()
    entry = AuditEntry.objects.get(action="system-action")
    assert entry.patient_key == agreed.pseudonym("ada")
    assert entry.detail == {"made": 2}


def test_of_two_hooks_at_once_one_hands_it_over(agreed: Ehr) -> None:
    assert sorted("systemActions" in found for found in at_once(2, answer)) == [False, True]


def test_a_canary_hands_nothing_over(agreed: Ehr) -> None:
    EnabledService.objects.update(stage=Stage.CANARY, canary_percent=100)
    assert answer().keys() == {"cards"}


def test_a_restricted_chart_is_not_written_to(agreed: Ehr) -> None:
    Ehr.objects.update(restricted_in_hooks=True)
    sent = emr.hook_request("ada", next(one for one in emr.services() if one["id"] == SERVICE))
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
    sent["prefetch"]["patient"] = sent["prefetch"]["patient"] | {"meta": {"security": [label]}}
    assert emr.post(emr.endpoint(SERVICE), sent).json().keys() == {"cards"}


def test_the_demo_hospital_files_it(agreed: Ehr) -> None:
    assert decisions.ask("ada").problems == []
    assert decisions.ask("ada").problems == []
    (kept,) = [one for one in chart_store().all("RiskAssessment") if one["subject"]["reference"] == "Patient/ada"]
    assert kept["status"] == "preliminary"
