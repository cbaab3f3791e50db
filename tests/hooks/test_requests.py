"""A prefetch is read in one pass where it has the expected shape, and key by key where it has not; both say the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from cds.context import PatientContext
from cds.fhir.shapes import Bundle
from cds.gather import gather
from cds.services.diabetes.service import DiabetesRisk
from hooks.requests import HookRequest, parse

SERVICE = DiabetesRisk()
NOW = datetime(2026, 11, 1, tzinfo=UTC)
PATIENT = {"resourceType": "Patient", "id": "ada", "gender": "female", "birthDate": "1970-01-01"}
HBA1C = {
    "resourceType": "Observation",
    "id": "a1c",
    "status": "final",
    "subject": {"reference": "Patient/ada"},
    "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
    "effectiveDateTime": "2026-10-01",
    "valueQuantity": {"value": 6.1, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
}
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}


def called(**prefetch: Any) -> HookRequest:
    context = {"patientId": "ada", "userId": "Practitioner/who"}
    sent = {"patient": PATIENT, "conditions": bundle(), "hba1c": bundle(HBA1C)} | prefetch
    body = {"hook": "patient-view", "hookInstance": "i", "context": context, "prefetch": sent}
    return parse(msgspec.json.encode(body), SERVICE)


def read(request: HookRequest) -> tuple[PatientContext, dict[str, str]]:
    tally: dict[str, str] = {}
    return gather(SERVICE, patient_id="ada", now=NOW, prefetch=request.prefetch, tally=tally), tally


def kinds(request: HookRequest) -> set[type]:
    return {type(found) for key, found in (request.prefetch or {}).items() if key != "patient"}


def test_what_has_the_expected_shape_is_read_in_one_pass() -> None:
    request = called()
    assert kinds(request) == {Bundle}
    context, tally = read(request)
    assert [fact.quantity.value for fact in context.all("hba1c")] == [6.1]
    assert (tally["hba1c"], tally["glucose"]) == ("hit", "miss")


@pytest.mark.parametrize("odd", [HBA1C | {"id": "odd", "status": 7}, HBA1C | {"id": "odd", "code": "4548-4"}])
def test_one_entry_of_another_shape_spoils_no_other(odd: dict[str, Any]) -> None:
    request = called(hba1c=bundle(HBA1C, odd))
    assert kinds(request) == {msgspec.Raw}
    context, _ = read(request)
    assert [fact.source for fact in context.all("hba1c")] == ["Observation/a1c"]
    assert [issue.source for issue in context.issues] == ["Observation/odd"]


def test_an_error_in_place_of_a_bundle_is_said() -> None:
    context, tally = read(called(glucose=OUTCOME))
    assert tally["glucose"] == "invalid"
    assert context.unread == tuple(
        need.key for need in SERVICE.needs if need.key not in {"patient", "conditions", "hba1c"}
    )


def test_null_is_asked_for_and_not_there_in_both_ways() -> None:
    for more in ({}, {"lipids": OUTCOME}):
        request = called(glucose=None, **more)
        assert request.prefetch is not None
        assert request.prefetch["glucose"] is None
        assert read(request)[1]["glucose"] == "null"


def test_the_encounter_that_a_facility_is_known_by_comes_along() -> None:
    request = called(encounter=bundle({"resourceType": "Encounter", "id": "e"}))
    assert "encounter" in (request.prefetch or {})
