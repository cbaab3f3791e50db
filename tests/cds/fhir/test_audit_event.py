"""Audit entries as FHIR R4 AuditEvents, in the patterns of IHE BALP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from cds.fhir.audit_event import Noted, audit_event

SOURCE, DESTINATION = "110153", "110152"


def event(action: str = "view", **changed: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "number": 7,
        "action": action,
        "recorded_at": datetime(2026, 10, 1, 10, 0, 0, 120_000, tzinfo=UTC),
        "actor": "a" * 64,
        "address": "203.0.113.9",
        "patient_key": "p" * 64,
        "subject": "7d0f2f60",
        "fhir_base": "https://ehr.example/fhir",
        "observer": "https://bedside.example",
    }
    return audit_event(Noted(**given | changed))


def agent_types(found: dict[str, Any]) -> list[str]:
    return [agent["type"]["coding"][0]["code"] for agent in found["agent"]]


@pytest.mark.parametrize(
    "action",
    "hook feedback view write-back launch refusal configure switch-off break-glass purge predict snooze verify-audit "
    "sign-in sign-in-refused sign-in-locked emergency-sign-in sign-out restricted batch-read".split(),
)
@pytest.mark.parametrize("missing", [{}, {"patient_key": ""}, {"fhir_base": "", "address": ""}, {"subject": ""}])
def test_every_action_is_a_valid_event(action: str, missing: dict[str, str]) -> None:
    found = event(action, detail={"status": 403, "reason": "jti was used before"}, **missing)
    assert AuditEvent.model_validate(found).source is not None


def test_a_view_is_balps_patient_read() -> None:
    found = event("view")
    assert found["meta"]["profile"] == [
        "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead"
    ]
    assert (found["action"], found["subtype"][0]["code"], found["outcome"]) == ("R", "read", "0")


def test_at_a_read_the_client_is_the_destination_and_we_are_the_source() -> None:
    found = event("view")
    assert agent_types(found) == [DESTINATION, SOURCE, "IRCP"]
    assert found["agent"][0]["network"] == {"address": "203.0.113.9", "type": "2"}
    assert found["agent"][1]["network"] == {"address": "bedside.example", "type": "1"}


def test_at_a_write_back_we_are_the_source_and_the_ehr_is_the_destination() -> None:
    found = event("write-back", detail={"step": "sent"})
    assert agent_types(found) == [SOURCE, DESTINATION, "IRCP"]
    assert found["agent"][1]["who"]["identifier"]["value"] == "https://ehr.example/fhir"
    assert found["meta"]["profile"][0].endswith("IHE.BasicAudit.PatientCreate")


def test_exactly_one_agent_asked_for_it() -> None:
    assert [agent["requestor"] for agent in event("view")["agent"]] == [False, False, True]


def test_the_patient_is_one_entity_named_by_a_keyed_hash() -> None:
    patients = [entity for entity in event()["entity"] if entity["role"]["code"] == "1"]
    assert [patient["what"]["identifier"]["value"] for patient in patients] == ["p" * 64]
    assert patients[0]["type"]["code"] == "1"


def test_without_a_patient_there_is_no_patient_entity_and_no_patient_profile() -> None:
    found = event("view", patient_key="")
    assert [entity["role"]["code"] for entity in found["entity"]] == ["4"]
    assert found["meta"]["profile"][0].endswith("IHE.BasicAudit.Read")


@pytest.mark.parametrize(("status", "outcome"), [(400, "4"), (413, "4"), (401, "8"), (403, "8")])
def test_a_refusal_is_a_failure_with_its_reason(status: int, outcome: str) -> None:
    found = event("refusal", detail={"status": status, "reason": "another audience"})
    assert (found["outcome"], found["outcomeDesc"]) == (outcome, "another audience")


@pytest.mark.parametrize(
    ("step", "outcome"), [("begun", "0"), ("queued", "0"), ("waiting", "0"), ("declined", "4"), ("failed", "8")]
)
def test_what_has_written_nothing_claims_no_profile_of_a_create(step: str, outcome: str) -> None:
    found = event("write-back", detail={"aim": "write", "target": "chart", "step": step})
    assert found["outcome"] == outcome
    assert "meta" not in found


@pytest.mark.parametrize("aim", ["supersede", "retract"])
def test_what_is_marked_in_the_chart_is_balps_update(aim: str) -> None:
    found = event("write-back", detail={"aim": aim, "target": "chart", "step": "sent"})
    assert (found["action"], found["subtype"][0]["code"]) == ("U", "update")
    assert found["meta"]["profile"][0].endswith("IHE.BasicAudit.PatientUpdate")


def test_what_goes_to_the_archive_is_no_create_at_the_fhir_server() -> None:
    found = event("write-back", detail={"aim": "write", "target": "archive", "step": "sent"})
    assert found["type"]["code"] == "110104"
    assert "meta" not in found
    assert "ehr.example" not in str(found["agent"])


@pytest.mark.parametrize("action", ["sign-in-refused", "sign-in-locked", "restricted", "opted-out"])
def test_who_was_stopped_did_not_succeed(action: str) -> None:
    assert event(action)["outcome"] == "8"


def test_without_the_callers_network_no_profile_is_claimed() -> None:
    assert "meta" not in event("view", address="", fhir_base="")
