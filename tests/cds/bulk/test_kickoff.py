"""How an export is asked for: types, filters, a Group, and what a refusal says."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import pytest

from cds.models import AuditEntry, Ehr, PopulationRun
from smartapp.demo_ehr.store import chart_store
from tests.bulk_ehr import BulkEhr, Said
from tests.cds.bulk.conftest import gone_on, opened
from tests.cds.bulk.exports import PATIENTS, THE_CAST, failure
from tests.cds.population.conftest import reasons

State = PopulationRun.State


def test_an_export_is_asked_for_with_the_types_that_the_service_needs(exporting: Ehr, exporter: BulkEhr) -> None:
    assert gone_on(opened(exporting)).state == State.DONE
    asked = exporter.last("GET", PATIENTS)
    assert set(asked.query["_type"].split(",")) == {file.removesuffix(".ndjson") for file in exporter.files} | {
        "Encounter",
        "Procedure",
        "ServiceRequest",
    }
    assert (asked.headers["accept"], asked.headers["prefer"]) == ("application/fhir+json", "respond-async")
    assert asked.headers["authorization"].startswith("Bearer ")
    assert AuditEntry.objects.filter(action="bulk-export", ehr=exporting).exists()


@pytest.fixture
def narrowed(exporting: Ehr) -> Ehr:
    """An administrator has said that it takes `_typeFilter`."""
    exporting.export_filters = True
    exporting.save()
    return exporting


def test_only_the_codes_that_are_needed_are_asked_for_where_the_server_takes_filters(hospital: Ehr) -> None:
    hospital.export_filters = True
    hospital.save()
    run = gone_on(opened(hospital))
    assert reasons(run) == THE_CAST
    (observations,) = (said for name, said in run.files.items() if name.startswith("Observation"))
    assert 0 < observations["used"] == observations["lines"]
    assert len(chart_store().all("Observation")) > observations["lines"]


def test_a_filter_is_one_search_a_type_and_survives_a_server_that_ignores_it(narrowed: Ehr, exporter: BulkEhr) -> None:
    assert reasons(gone_on(opened(narrowed))) == THE_CAST
    kind, _, query = exporter.last("GET", PATIENTS).query["_typeFilter"].partition("?")
    codes = dict(parse_qsl(query))["code"].split(",")
    assert kind == "Observation"
    assert "http://loinc.org|4548-4" in codes
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("issue", ["invalid", "not-supported"])
def test_where_filters_are_refused_everything_is_asked_for(narrowed: Ehr, exporter: BulkEhr, issue: str) -> None:
    paths = (PATIENTS, "/fhir/$export")[: 1 + (issue == "not-supported")]
    for path in paths:
        for method in ("GET", "POST"):
            exporter.next[f"{method} {path}"] = [Said.outcome(400, issue)]
    assert reasons(gone_on(opened(narrowed))) == THE_CAST
    assert "_typeFilter" not in exporter.last("GET", PATIENTS).query


def test_a_group_is_exported_by_its_own_address(exporting: Ehr, exporter: BulkEhr) -> None:
    gone_on(opened(exporting, "diabetics"))
    assert exporter.times("GET", "/fhir/Group/diabetics/$export") == 1


def test_a_server_that_takes_post_alone_gets_parameters(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.next[f"GET {PATIENTS}"] = [Said.outcome(405, "not-supported")]
    assert gone_on(opened(exporting)).state == State.DONE
    parameters = json.loads(exporter.last("POST", PATIENTS).body)["parameter"]
    assert {"name": "_type", "valueString": "Patient"} in parameters


def test_where_patients_cannot_be_exported_the_system_is(exporting: Ehr, exporter: BulkEhr) -> None:
    for method in ("GET", "POST"):
        exporter.next[f"{method} {PATIENTS}"] = [Said.outcome(404, "not-found")]
    assert gone_on(opened(exporting)).state == State.DONE
    assert exporter.times("GET", "/fhir/$export") == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Said.outcome(403, "forbidden"), "does not let us export this (403, forbidden)"),
        (Said(status=202), "does not say where it stands"),
        (
            Said(status=202, headers={"Content-Location": "https://elsewhere.example/1"}),
            "https://elsewhere.example:443",
        ),
    ],
)
def test_a_kick_off_that_leads_nowhere_is_one_clear_sentence(
    exporting: Ehr, exporter: BulkEhr, answer: Said, said: str
) -> None:
    exporter.next[f"GET {PATIENTS}"] = [answer]
    assert said in failure(exporting)


def test_what_was_not_granted_is_said_before_anything_is_exported(exporting: Ehr, exporter: BulkEhr) -> None:
    token = {"access_token": "t", "token_type": "bearer", "scope": "system/Patient.rs"}
    exporter.next["POST /token"] = [Said(body=json.dumps(token).encode())]
    assert "did not grant our system client: Condition.rs, Observation.rs" in failure(exporting)
    assert not exporter.exports
